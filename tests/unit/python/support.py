"""Test support: a worker process to run programs in."""
import base64
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = os.path.normpath(os.path.join(HERE, "../../../worker/python"))


class Outcome(dict):
    def __getattr__(self, name):
        return self[name]

    @property
    def result(self):
        """The result's bundle, decoded, or None."""
        found = [item for item in self.sent if item[0] == "result"]
        return unpacked(found[0][3]) if found else None

    @property
    def text(self):
        return self.result["text/plain"].decode()

    @property
    def displays(self):
        return [unpacked(item[4]) for item in self.sent if item[0] == "display"]

    @property
    def traceback(self):
        return "\n".join(self.error["traceback"])


def unpacked(bundle):
    return {key: base64.b64decode(value) for key, value in bundle.items()}


class Worker:
    def __init__(self):
        ours, theirs = socket.socketpair()
        page_fd = os.memfd_create("cancelled")
        os.ftruncate(page_fd, 4096)
        self._page = mmap.mmap(page_fd, 4096)
        self._ready, ready_fd = os.pipe()
        fds = (theirs.fileno(), page_fd, ready_fd)
        environment = dict(os.environ, MPLBACKEND="Agg", PYTHONPATH=HERE, PYTHONDONTWRITEBYTECODE="1")
        self.process = subprocess.Popen(
            [sys.executable, "-P", os.path.join(HERE, "driver.py"), MODULES, *map(str, fds)],
            pass_fds=fds, env=environment, stdin=subprocess.DEVNULL)
        theirs.close()
        for fd in fds[1:]:
            os.close(fd)
        self._socket, self._lines = ours, ours.makefile("rw")
        self._runs = 0

    def close(self):
        self._lines.close()
        self._socket.close()
        self._page.close()
        os.close(self._ready)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def start(self, code, mode="cell", session=True, filename="", arguments=(), run_id=None, **more):
        """Sends the program and does not wait for it."""
        self._runs += 1
        code = code.encode() if isinstance(code, str) else code
        request = dict(run_id=run_id or f"run-{self._runs}", mode=mode, session=session, filename=filename,
                       code=base64.b64encode(code).decode(), arguments=list(arguments), standard_input="input" in more)
        self._send(["run", request | more])
        return request["run_id"]

    def outcome(self):
        return Outcome(self._receive())

    def run(self, code, **options):
        self.start(code, **options)
        return self.outcome()

    def script(self, code, **options):
        return self.run(code, mode="script", session=False, **options)

    def outputs(self):
        self._send(["outputs", None])
        return self._receive()

    def healthy(self):
        self._send(["healthy", None])
        return self._receive()

    def wait_until_ready(self):
        """Until the program has written to READY_FD."""
        assert os.read(self._ready, 1) == b"x"

    def wait_until_asleep(self):
        """Until the kernel says that the main thread waits for something."""
        for _ in range(10**6):
            with open(f"/proc/{self.process.pid}/stat") as stat:
                if stat.read().rpartition(")")[2].split()[0] == "S":
                    return
        raise AssertionError("the program does not go to sleep")

    def request_cancel(self, run_id):
        self._page[:64] = run_id.encode().ljust(64, b"\0")

    def cancel(self, run_id):
        self.request_cancel(run_id)
        self.process.send_signal(signal.SIGINT)

    def _send(self, message):
        self._lines.write(json.dumps(message) + "\n")
        self._lines.flush()

    def _receive(self):
        line = self._lines.readline()
        assert line, f"the worker process ended: {self.process.wait(20)}"
        return json.loads(line)


class WorkerTest(unittest.TestCase):
    """One worker process for each test."""

    def setUp(self):
        self.worker = Worker()
        self.addCleanup(self.worker.close)
        self.run_cell = self.worker.run
        self.run_script = self.worker.script

    def check_ok(self, outcome):
        self.assertEqual((outcome.verdict, outcome.exit_status, outcome.error), ("ok", 0, None), outcome)
        return outcome


READY = "import os; os.write(READY_FD, b'x')\n"
