"""A private manager: starts when none listens, serves, and goes away by itself."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import processes
from processes import wait_for
from support import CAPSULE, finish, start


class PrivateManagerTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="capsule-private-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.pid = None
        self.addCleanup(self.end)
        os.chmod(self.directory, 0o700)
        self.environment = {k: v for k, v in os.environ.items() if k != "CAPSULE_SOCKET"}
        self.environment["XDG_RUNTIME_DIR"] = self.directory

    def end(self):
        if self.pid and processes.is_alive(self.pid):
            os.kill(self.pid, signal.SIGTERM)
        processes.assert_none_left(30)

    def capsule(self, *arguments, feed=b""):
        child = start([CAPSULE, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                      env=self.environment)
        done = finish(child, feed=feed)
        if match := re.search(rb"started a private one \(pid (\d+)", done.err):
            self.pid = int(match[1])
        return done

    def test_run_starts_one_says_so_and_uses_it_again(self):
        first = self.capsule("run", "-c", "print('first')")
        self.assertEqual((first.status, first.out), (0, b"first\n"), first)
        self.assertIsNotNone(self.pid, first)
        self.assertTrue(pathlib.Path(self.directory, "capsule", "capsule.sock").is_socket())
        second = self.capsule("run", "-c", "print('second')")
        self.assertEqual((second.status, second.out, second.err), (0, b"second\n", b""), second)
        info = self.capsule("info", "manager", "--json")
        self.assertIn(b'"private":true', info.out.replace(b" ", b""))

    def test_commands_that_only_look_do_not_start_one(self):
        done = self.capsule("info")
        self.assertEqual((done.status, done.out), (125, b""), done)
        self.assertIn(b"capsule serve", done.err)

    def test_it_ends_when_told(self):
        self.capsule("run", "-c", "1")
        os.kill(self.pid, signal.SIGTERM)
        wait_for(lambda: not processes.is_alive(self.pid), 30, "the private manager is gone")
        processes.assert_none_left()

    def test_two_first_runs_at_once_share_one_manager(self):
        children = [start([CAPSULE, "run", "-c", "print('up')"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=self.environment) for _ in range(3)]
        done = [finish(child) for child in children]
        started = [re.search(rb"started a private one \(pid (\d+)", d.err) for d in done]
        self.pid = next(int(m[1]) for m in started if m)
        self.assertEqual([(d.status, d.out) for d in done], [(0, b"up\n")] * 3, done)
        self.assertEqual(sum(1 for m in started if m), 1, done)

    def test_a_directory_that_others_may_write_to_is_refused(self):
        pathlib.Path(self.directory, "capsule").mkdir(mode=0o777)
        os.chmod(pathlib.Path(self.directory, "capsule"), 0o777)
        done = self.capsule("run", "-c", "1")
        self.assertEqual(done.status, 125, done)
        self.assertIn(b"open to other users", done.err)


if __name__ == "__main__":
    unittest.main()
