"""Two users' sessions under steady load beside every attack: are their results right, and how long do they take?"""
import statistics
import threading
import time

from wire import RawClient

PAUSE_S = 0.03  # between two cells: a load, not a benchmark
FIRST = "import os\ncount = 0\nhidden = '%s'\n"
CELL = "count += 1\n(count, sum(i * i for i in range(%d)))"
RANGE = 3000


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

    def measure_quiet(self, seconds):
        started = time.monotonic()
        time.sleep(seconds)
        times = self.times_since(started)
        assert len(times) > 5, "the neighbours do not run"
        self.quiet_s = statistics.median(times)

    def times_since(self, moment):
        return [took for each in self.all for end, took in each.times if end >= moment]

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
