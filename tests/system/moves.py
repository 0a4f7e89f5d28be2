"""By how much a scrape after something was done differs from the one before."""
from processes import wait_for
from test_metrics import MetricsCase

UP = "at least one more"


class MovesCase(MetricsCase):
    def samples(self):
        lines = (line.rsplit(" ", 1) for line in self.series())
        return {series: float(value) for series, value in lines}

    def assert_moves(self, action, expected):
        """A number is exact; UP is not. Time may pass before they are reached, but not be overstepped."""
        before = self.samples()
        self.assertEqual([name for name in expected if name not in before], [], "there are no such series")
        action()

        def short():
            after = self.samples()
            moved = {name: after[name] - before[name] for name in expected}
            return {name: moved[name] for name, delta in expected.items()
                    if (moved[name] < 1e-9 if delta is UP else moved[name] != delta)}

        try:
            wait_for(lambda: not short(), 20)
        except AssertionError:
            self.fail(f"moved otherwise than expected: {short()}")
