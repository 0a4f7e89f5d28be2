"""Two users' sessions under steady load beside every attack: are their results right, and how long do they take?

How long is judged twice. The median of each neighbour beside each attack, in oracles.py: an attack lasts a second, in
which a neighbour has some thirty cells, and of so few the median is all that is no accident. And over the whole run the
99th percentile of all cells, here: the rare cell that waits behind an attack. A bound of 1.25 times the quiet time, as
machines with a processor to spare would keep it, says nothing on two processors that attack, manager, neighbours and
whatever else there is have to share: there the quiet phases of one run differ by more among themselves. So its yardstick
is the same percentile of all quiet phases of the same run, before and after each manager's cases, and at least
P99_FLOOR_S, a few turns of the scheduler. (Seen over all cases: 0.8 times that, and 2.9 times as an
ordinary user without control groups, on a machine that was building meanwhile.) When the factor is passed, what is quiet is measured once more: what slowed
everybody may have begun in between."""
import statistics
import threading
import time

from wire import RawClient

PAUSE_S = 0.03  # between two cells: a load, not a benchmark
FIRST = "import os\ncount = 0\nhidden = '%s'\n"
CELL = "count += 1\n(count, sum(i * i for i in range(%d)))"
RANGE = 3000
P99_CELLS = 2000  # of fewer the percentile is the worst twenty, and nothing to judge by
P99_FACTORS = {"on": 3.0, "off": 6.0}  # by the state of the layer `cgroup`: without it nothing shares the processors out
P99_FLOOR_S = 0.02


def percentile(times, part):
    return sorted(times)[min(len(times) - 1, int(len(times) * part))]


def slowed_p99(times, quiet_times):
    """By what factor the 99th percentile beside attacks is longer than the quiet one; 0: nothing was measured."""
    if not times or not quiet_times:
        return 0.0
    return percentile(times, 0.99) / max(percentile(quiet_times, 0.99), P99_FLOOR_S)


def p99_problem(times, quiet_times, control_groups="on"):
    slowed = slowed_p99(times, quiet_times)
    if len(times) < P99_CELLS or slowed <= P99_FACTORS[control_groups]:
        return None
    return (f"the 99th percentile of the neighbours' {len(times)} cells is {percentile(times, 0.99):.3f} s, of the quiet ones "
            f"{percentile(quiet_times, 0.99):.3f} s")


class Neighbour:
    def __init__(self, socket_path, name, canary, secrets):
        self.client = RawClient(socket_path, timeout=60.0)
        self.client.hello()
        self.name = name
        # Without snapshots, which would come and go while the oracles count processes and descriptors.
        self.client.send({"type": "session", "id": 1, "operation": "new", "session": name, "secrets": secrets,
                          "rollback": "off"})
        answer = self.client.receive_of("document", "error")
        assert answer["type"] == "document", answer
        self.problems = []
        self.times = []  # (end, seconds) of each cell
        self.count = 0
        self._cell(FIRST % canary)
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _cell(self, code):
        answer = self.client.execute(code, session=self.name, mode="cell", timeout_ms=60000)
        assert isinstance(answer, str), answer
        value = None
        while True:
            message = self.client.receive()
            assert message is not None, "the neighbour's connection ended"
            if message["type"] == "result":
                value = message["data"]["text/plain"].decode()
            if message["type"] == "finished":
                assert message["verdict"] == "ok", message
                return value

    def _work(self):
        expected_sum = sum(i * i for i in range(RANGE))
        while not self.stopping.wait(PAUSE_S):
            started = time.monotonic()
            try:
                value = self._cell(CELL % RANGE)
            except (AssertionError, OSError) as error:
                self.problems.append(f"{self.name}: {error}")
                return
            self.count += 1
            ended = time.monotonic()
            self.times.append((ended, ended - started))
            if value != f"({self.count}, {expected_sum})":
                self.problems.append(f"{self.name}: cell {self.count} gave {value}")

    def close(self):
        self.stopping.set()
        self.thread.join(60)
        self.client.close()


class Neighbours:
    """Both of them, and the yardstick of the quiet phase."""

    def __init__(self, socket_path, canary, secrets):
        self.all = [Neighbour(socket_path, f"neighbour-{n}", canary, secrets) for n in (1, 2)]
        self.quiet_s = 0.0
        self.quiet_times = []  # of all quiet phases

    def measure_quiet(self, seconds):
        started = time.monotonic()
        time.sleep(seconds)
        times = [took for each in self.times_since(started) for took in each]
        assert len(times) > 5, "the neighbours do not run"
        self.quiet_s = self.quiet_s or statistics.median(times)
        self.quiet_times += times

    def times_since(self, moment):
        """Of each neighbour."""
        return [[took for end, took in each.times if end >= moment] for each in self.all]

    def wait_for_cells(self, seconds=10.0):
        """Each of them finishes another cell."""
        before = [each.count for each in self.all]
        deadline = time.monotonic() + seconds
        while any(each.count <= count for each, count in zip(self.all, before)):
            if time.monotonic() > deadline or self.problems():
                return False
            time.sleep(0.005)
        return True

    def problems(self):
        return [problem for each in self.all for problem in each.problems]

    def close(self):
        for each in self.all:
            each.close()
