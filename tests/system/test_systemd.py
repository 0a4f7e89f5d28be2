"""What systemd expects of a service: readiness, watchdog, a socket that is handed over, a unit that it understands."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

from processes import wait_for
from support import ROOT, SMALL, Manager
from wire import RawClient

UNITS = ROOT / "ops" / "systemd"


class NotifySocket:
    """Plays the receiving end of sd_notify(3)."""

    def __init__(self, directory):
        self.path = f"{directory}/notify.sock"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(60)
        self.lines = []

    def wait_for(self, word):
        while word not in self.lines:
            self.lines += self.socket.recv(65536).decode().splitlines()

    def close(self):
        self.socket.close()


class NotifyTest(unittest.TestCase):
    def start(self, environment=None):
        directory = tempfile.mkdtemp(prefix="capsule-notify-")
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        self.notify = NotifySocket(directory)
        self.addCleanup(self.notify.close)
        manager = Manager(SMALL, (), dict(environment or {}, NOTIFY_SOCKET=self.notify.path))
        self.addCleanup(manager.kill)
        return manager.start(wait_ready=False)

    def test_ready_comes_when_the_socket_is_bound_and_a_worker_is_warm(self):
        manager = self.start()
        self.notify.wait_for("READY=1")
        self.assertTrue(os.path.exists(manager.socket))
        self.assertGreater(manager.pool()["zygote_pid"], 0)
        self.assertEqual(manager.info("manager")["manager"]["state"], "ready")
        self.assertEqual(manager.capsule("run", "-c", "print(1)").out, b"1\n")
        manager.signal(signal.SIGHUP)
        self.notify.wait_for("RELOADING=1")
        manager.signal(signal.SIGTERM)
        self.notify.wait_for("STOPPING=1")
        self.assertEqual(manager.wait_gone(), 0)
        manager.assert_nothing_left()

    def test_the_watchdog_is_fed(self):
        manager = self.start(environment={"WATCHDOG_USEC": "400000"})
        self.notify.wait_for("READY=1")
        for _ in range(3):
            self.notify.lines.clear()
            self.notify.wait_for("WATCHDOG=1")
        manager.stop()

    def test_programs_do_not_see_what_systemd_told_the_manager(self):
        manager = self.start(environment={"WATCHDOG_USEC": "400000"})
        self.notify.wait_for("READY=1")
        document = manager.run_code("import os; sorted(k for k in os.environ if k.startswith(('NOTIFY', 'WATCHDOG', "
                                    "'LISTEN')))")
        self.assertEqual(document["result"]["text/plain"], "[]")
        manager.stop()


class SocketActivationTest(unittest.TestCase):
    def test_a_socket_that_is_handed_over_is_used_and_stays(self):
        manager = Manager(SMALL)
        self.addCleanup(manager.kill)
        path = f"{manager.directory}/activated.sock"
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(path)
        listener.listen()
        early = RawClient(path)  # before there is a manager, as socket activation allows
        self.addCleanup(early.close)
        manager.start_activated(listener)
        early.hello()
        self.assertIsInstance(early.execute("print('activated')"), str)
        self.assertEqual(early.messages_until_finished()[-1]["verdict"], "ok")
        early.close()
        manager.signal(signal.SIGTERM)
        self.assertEqual(manager.wait_gone(), 0)
        self.assertTrue(os.path.exists(path), "the socket is systemd's, not ours to remove")


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
class UnitTest(unittest.TestCase):
    def verify(self, name):
        """systemd-analyze on a copy whose program exists here; it says nothing when all is well."""
        with tempfile.TemporaryDirectory() as directory:
            for unit in UNITS.iterdir():
                text = unit.read_text()
                lines = ["ExecStart=/bin/true" if line.startswith("ExecStart=") else line for line in text.splitlines()]
                pathlib.Path(directory, unit.name).write_text("\n".join(lines) + "\n")
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", f"{directory}/{name}"],
                                  capture_output=True, text=True, timeout=60)
        own_lines = [line for line in (done.stdout + done.stderr).splitlines() if "capsule" in line]
        self.assertEqual(own_lines, [])

    def test_the_service_is_understood(self):
        self.verify("capsule.service")

    def test_the_socket_is_understood(self):
        self.verify("capsule.socket")

    def test_nothing_masks_proc_or_namespaces(self):
        """A masked /proc or restricted namespaces would forbid the capsules their own."""
        options = {line.split("=", 1)[0].strip() for line in (UNITS / "capsule.service").read_text().splitlines()
                   if "=" in line and not line.lstrip().startswith("#")}
        for option in ("ProtectProc", "ProcSubset", "ProtectKernelTunables", "ProtectKernelLogs", "RestrictNamespaces"):
            self.assertNotIn(option, options)
        self.assertIn("Delegate", options)
        self.assertIn("WatchdogSec", options)


if __name__ == "__main__":
    unittest.main()
