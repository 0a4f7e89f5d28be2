"""A manager of its own for a class of tests, and the `capsule` command to talk to it.

CAPSULE_BUILD names the build directory (default: build/ in the source tree).
"""
import contextlib
import fcntl
import grp
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time
import unittest

import processes
from processes import wait_for
from wire import RawClient

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CAPSULE_BUILD", ROOT / "build")).resolve()
CAPSULE = BUILD / "cli" / "capsule"
MANAGER = BUILD / "manager" / "capsule-manager"
PROGRAMS = ROOT / "tests" / "programs"

START_SECONDS = 90  # the data profile imports pandas, on a slow machine several at once
CALL_SECONDS = 120

# Small stocks of the small profile, so that a manager is up at once.
SMALL = """
default_profile = "base"
[pool]
warm = 2
capsules = 1
[profiles.data.pool]
warm = 0
capsules = 0
"""


# For a manager that serves more users than its own: `as_user` is a member of its group.
SHARED_GROUP = grp.getgrgid(100).gr_name if os.geteuid() == 0 else ""
SHARED = f"[server]\nsocket_group = \"{SHARED_GROUP}\"\n"


def as_user(user):
    """Options for a command that another user of the machine runs; root only."""
    return {"user": user, "group": user, "extra_groups": [100], "cwd": "/"}


def program(name):
    path = PROGRAMS / f"{name}.py"
    assert path.exists(), path
    return str(path)


class Done:
    """A finished command: status, out and err as bytes; document() for --json."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def document(self):
        try:
            return json.loads(self.out)
        except ValueError:
            raise AssertionError(f"not one JSON document: {self}") from None

    def __repr__(self):
        return f"status {self.status}, stdout {self.out[-2000:]!r}, stderr {self.err[-2000:]!r}"


def start(arguments, **options):
    """Popen whose pid the leak check knows."""
    child = subprocess.Popen([str(a) for a in arguments], **options)
    processes.own_children.add(child.pid)
    return child


def finish(child, seconds=CALL_SECONDS, feed=None):
    try:
        out, err = child.communicate(feed, timeout=seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        out, err = child.communicate()
        raise AssertionError(f"{child.args} did not end within {seconds} s: {Done(None, out, err)}") from None
    finally:
        processes.own_children.discard(child.pid)
    return Done(child.returncode, out, err)


class Manager:
    """One manager process with a directory, a socket and a TMPDIR of its own."""

    def __init__(self, config=SMALL, arguments=(), environment=None):
        self.directory = tempfile.mkdtemp(prefix="capsule-system-")
        self.socket = f"{self.directory}/capsule.sock"
        self.config_file = pathlib.Path(self.directory, "capsule.toml")
        self.config_file.write_text(config)
        self.log_file = pathlib.Path(self.directory, "log")
        self.temporary = pathlib.Path(self.directory, "tmp")
        self.temporary.mkdir()
        if SHARED in config:
            os.chmod(self.directory, 0o711)
        self.arguments = list(arguments)
        self.environment = dict(os.environ, TMPDIR=str(self.temporary), **(environment or {}))
        self.environment.pop("CAPSULE_SOCKET", None)
        self.process = None
        self.commands = []
        self.program = None  # the usual one
        self.wrapper = []  # a command that ends in exec of what follows it

    @property
    def pid(self):
        return self.process.pid

    def start(self, wait_ready=True):
        readable, writable = os.pipe()
        with open(self.log_file, "ab") as log:
            self.process = start(
                [*self.wrapper, self.program or MANAGER, "--config", self.config_file, "--socket", self.socket, "--state-dir",
                 f"{self.directory}/state", "--ready-fd", writable, *self.arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment, cwd=self.directory,
                pass_fds=(writable,), start_new_session=True)
        os.close(writable)
        try:
            if wait_ready:
                self._wait_ready(readable)
        except BaseException as error:
            log = self.log()
            self.kill()
            raise AssertionError(f"{error}\n{log}") from None
        finally:
            os.close(readable)
        return self

    def start_activated(self, listener):
        """As systemd would: the listening socket is descriptor 3, and LISTEN_PID is the manager's own pid."""
        passed = fcntl.fcntl(listener.fileno(), fcntl.F_DUPFD, 10)
        script = f'exec 3<&{passed} {passed}<&-; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
        with open(self.log_file, "ab") as log:
            self.process = start(["bash", "-c", script, "bash", MANAGER, "--config", self.config_file, "--state-dir",
                                  f"{self.directory}/state"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 env=self.environment, cwd=self.directory, pass_fds=(passed,))
        os.close(passed)
        return self

    def _wait_ready(self, readable):
        line = b""
        deadline = time.monotonic() + START_SECONDS
        while not line.endswith(b"\n"):
            if not select.select([readable], [], [], max(0.0, deadline - time.monotonic()))[0]:
                break
            piece = os.read(readable, 64)
            if not piece:
                break
            line += piece
        if line != b"ready\n":
            raise AssertionError(f"the manager did not become ready ({line!r})")

    def log(self):
        return self.log_file.read_text(errors="replace")[-8000:]

    def capsule(self, *arguments, feed=b"", seconds=CALL_SECONDS, **options):
        """Runs the command to its end. `feed` is its standard input; None leaves it closed at once."""
        return finish(self.spawn(*arguments, **options), seconds, feed)

    def spawn(self, *arguments, **options):
        """Starts the command; what a failed test leaves running is ended by end_commands()."""
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                   "env": dict(self.environment, CAPSULE_SOCKET=self.socket)} | options
        child = start([CAPSULE, *arguments], **options)
        self.commands.append(child)
        return child

    def on_terminal(self, *arguments, columns=120, **variables):
        """The command with stdout and stderr on a terminal: its status, and what it wrote there."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        environment = dict(self.environment, CAPSULE_SOCKET=self.socket, TERM="xterm", **variables)
        if "NO_COLOR" not in variables:
            environment.pop("NO_COLOR", None)
        child = self.spawn(*arguments, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment)
        os.close(theirs)
        text = b""
        try:
            while piece := os.read(ours, 65536):
                text += piece
        except OSError:  # EIO: the other end is closed
            pass
        os.close(ours)
        return Done(child.wait(CALL_SECONDS), text.replace(b"\r\n", b"\n"), b"")

    def end_commands(self):
        for child in self.commands:
            if child.poll() is None:
                child.kill()
                child.wait()
            for stream in (child.stdin, child.stdout, child.stderr):
                with contextlib.suppress(BrokenPipeError):
                    if stream:
                        stream.close()
            processes.own_children.discard(child.pid)
        self.commands.clear()

    def run(self, *arguments, **options):
        """`capsule run --json …`: the final document, with the command's own status checked against it."""
        return self._document(self.capsule("run", "--json", *arguments, **options))

    def run_code(self, code, *arguments, **options):
        return self.run(*arguments, "-c", code, **options)

    def exec(self, session, code, *arguments, **options):
        return self._document(self.capsule("exec", "--json", session, *arguments, "-c", code, **options))

    def exec_file(self, session, path):
        return self._document(self.capsule("exec", "--json", session, path))

    @staticmethod
    def _document(done):
        document = done.document()
        assert document["exit_status"] == done.status, done
        return document

    def state(self, client):
        """Over a connection that is there already: a manager that drains takes no new ones."""
        client.send({"type": "info", "id": 1, "sections": ["manager"]})
        return json.loads(client.receive_of("document")["json"])["manager"]["state"]

    def info(self, *sections):
        done = self.capsule("info", "--json", *sections)
        assert done.status == 0, done
        return done.document()

    def pool(self, profile="base"):
        return next(p for p in self.info("pools")["pools"] if p["profile"] == profile)

    def find_run(self, run_id):
        return next((r for r in self.info("runs")["runs"] if r["run_id"] == run_id), None)

    def raw(self, timeout=20.0):
        return RawClient(self.socket, timeout)

    def wait_settled(self, seconds=60.0):
        """No run is under way and the stocks are full: the state between bursts of work."""
        info = {}

        def settled():
            info.update(self.info("pools", "queue"))
            if info["queue"]["depth"] or info["queue"]["running"]:
                return False
            return all(self._is_full(pool) for pool in info["pools"])

        try:
            wait_for(settled, seconds, "a settled pool")
        except AssertionError as error:
            raise AssertionError(f"{error}; {info}") from None

    @staticmethod
    def _is_full(pool):
        workers, capsules = pool["workers"], pool["capsules"]
        if pool["state"] != "ready":
            return pool["warm_target"] == 0 or pool["state"] in ("unavailable", "stopped", "backoff")
        return (workers["idle"] == pool["warm_target"] and capsules["ready"] == pool["capsule_target"]
                and not workers["starting"] + workers["retiring"] + capsules["starting"])

    def signal(self, number):
        os.kill(self.pid, number)

    def wait_gone(self, seconds=60.0):
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the manager did not end within {seconds} s:\n{self.log()}") from None
        processes.own_children.discard(self.pid)
        return status

    def stop(self):
        """SIGTERM; it must end well and leave nothing behind."""
        try:
            if self.process.poll() is None:
                self.signal(signal.SIGTERM)
            status = self.wait_gone()
            if status != 0:
                raise AssertionError(f"the manager ended with status {status}:\n{self.log()}")
            self.assert_nothing_left()
        finally:
            self.kill()

    def assert_nothing_left(self):
        processes.assert_none_left()
        if left := processes.groups_of(self.pid):
            raise AssertionError(f"control groups were left behind: {left}")
        left = [str(p.relative_to(self.directory)) for p in self.temporary.rglob("*")]
        if left:
            raise AssertionError(f"temporary files were left behind: {left[:10]}")
        if os.path.exists(self.socket):
            raise AssertionError("the socket was left behind")

    def kill(self):
        """The end of a test that failed, or of one that is done: nothing stays."""
        self.end_commands()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process is not None:
            processes.own_children.discard(self.pid)
        shutil.rmtree(self.directory, ignore_errors=True)


class ManagerCase(unittest.TestCase):
    """One manager for the tests of a class; at their end it must hold no more descriptors than at their start."""

    config = SMALL
    arguments = ()
    program = None  # instead of the usual manager

    @classmethod
    def setUpClass(cls):
        cls.manager = Manager(cls.config, cls.arguments)
        cls.manager.program = cls.program
        cls.addClassCleanup(cls.manager.kill)
        cls.manager.start()
        cls.manager.capsule("run", "-c", "1")  # what is opened once, at the first run, is open now
        cls.manager.wait_settled()
        cls.fds_at_start = processes.fd_kinds(cls.manager.pid)

    @classmethod
    def directory_for_programs(cls):
        """As root programs have a user of their own, who has to get there."""
        place = tempfile.TemporaryDirectory(prefix="capsule-programs-")
        cls.addClassCleanup(place.cleanup)
        os.chmod(place.name, 0o755)
        return pathlib.Path(place.name)

    @classmethod
    def tearDownClass(cls):
        cls._check_descriptors()
        cls.manager.stop()

    @classmethod
    def _check_descriptors(cls):
        cls.manager.wait_settled()

        def not_grown():
            return processes.fd_kinds(cls.manager.pid).total() <= cls.fds_at_start.total()

        try:
            wait_for(not_grown, 10, "as few descriptors as at the start")
        except AssertionError:
            now = processes.fd_kinds(cls.manager.pid)
            raise AssertionError(f"the manager's descriptors grew from {cls.fds_at_start.total()} to {now.total()}: "
                                 f"{now - cls.fds_at_start}") from None

    def tearDown(self):
        self.manager.end_commands()
        if self.manager.process.poll() is not None:
            self.fail(f"the manager ended during the test:\n{self.manager.log()}")

    def assert_next_run_works(self):
        done = self.manager.capsule("run", "-c", "print('next')")
        self.assertEqual((done.status, done.out), (0, b"next\n"), done)

    def assert_verdict(self, document, verdict, exit_status=None):
        self.assertEqual(document["verdict"], verdict, document)
        if exit_status is not None:
            self.assertEqual(document["exit_status"], exit_status, document)


def read_event(child, *names):
    """The next of these events of a `run --events` command."""
    while line := child.stdout.readline():
        event = json.loads(line)
        if not names or event["event"] in names:
            return event
    raise AssertionError(f"no more events while waiting for {names}: {child.stderr.read()!r}")


def last_event(child):
    """Reads to the end; the last event, with the command's status checked."""
    lines = child.stdout.read().splitlines()
    child.stdin.close()
    status = child.wait(CALL_SECONDS)
    processes.own_children.discard(child.pid)
    event = json.loads(lines[-1])
    assert event.get("exit_status") == status, (status, event)
    child.stdout.close()
    child.stderr.close()
    return event
