"""Where no private root can be had, workspaces are directories on the disk: what programs leave in them is removed,
whatever they did to prevent it, also by the next manager; and nobody else chooses where they are."""
import os
import pathlib
import signal
import stat
import subprocess
import unittest

import support
from processes import wait_for
from test_sandbox_tiers import Lacking

ORDINARY = 61321  # a user that this machine does not know
FILES = 3000
LEAVES = """
import os
os.makedirs('keys')
for n, place in enumerate(({outside!r}, '/etc', '/')):
    os.symlink(place, f'link{{n}}')
    os.mkdir(f'd{{n}}')
    os.symlink(place, f'd{{n}}/deeper')
    os.chmod(f'd{{n}}', 0)
for name in (b'\\xff\\xfe', b'new\\nline', b'\\x1b]0;title\\x07', b'-rf', b'removed-1', b'a' * 255):
    os.mkdir(name)
    open(name[:200] + b'.file', 'w').close()
    os.chmod(name, 0)
for n in range({files}):
    open(f'f{{n}}', 'w').close()
top = os.getcwd()
for _ in range(300):
    os.mkdir('closed'); os.chdir('closed')
os.chmod('.', 0)
os.chmod(top + '/closed', 0)
print('left')
"""


class Unrooted(Lacking):
    """A manager of an ordinary user, where mounts are refused."""

    def __init__(self, *arguments):
        super().__init__("mount", *arguments)
        self.outside = pathlib.Path(self.directory, "outside")
        self.outside.mkdir()
        (self.outside / "kept").write_text("whole")
        if os.geteuid() == 0:
            for path in (self.directory, self.temporary, self.outside, self.outside / "kept"):
                os.chown(path, ORDINARY, ORDINARY)
            self.wrapper = ["setpriv", "--reuid", str(ORDINARY), "--regid", str(ORDINARY), "--clear-groups"]
        self.environment["HOME"] = self.directory

    @property
    def scratch(self):
        return pathlib.Path(self.directory, "state", "scratch")

    def workspaces(self):
        return [str(p) for p in self.scratch.glob("*/*")]

    def leave(self):
        done = self.run_code(LEAVES.format(outside=str(self.outside), files=FILES))
        assert done["stdout"] == "left\n", done


class ScratchTest(unittest.TestCase):
    def start(self):
        manager = Unrooted()
        self.addCleanup(manager.kill)
        return manager.start()

    def assert_outside_is_whole(self, manager):
        self.assertEqual([p.name for p in manager.outside.iterdir()], ["kept"])
        self.assertEqual((manager.outside / "kept").read_text(), "whole")
        self.assertNotEqual(stat.S_IMODE(manager.outside.stat().st_mode) & 0o500, 0)

    def test_what_a_run_left_is_removed_and_nothing_else(self):
        manager = self.start()
        for _ in range(3):
            manager.leave()
        wait_for(lambda: not [w for w in manager.workspaces() if "/for-" not in w], 30, "the last ones to be removed")
        self.assert_outside_is_whole(manager)
        manager.signal(signal.SIGTERM)
        self.assertEqual(manager.wait_gone(), 0, manager.log())
        self.assertEqual(list(manager.scratch.iterdir()), [])
        manager.assert_nothing_left()

    def test_that_bytes_and_files_have_no_limit_there_is_said_in_the_verdict(self):
        layers = {layer["name"]: layer for layer in self.start().run_code("1")["layers"]}
        self.assertIn("without a limit of bytes or files", layers["root"]["detail"])

    def test_the_next_manager_removes_what_a_killed_one_left(self):
        manager = self.start()
        session = manager.capsule("session", "new").out.decode().strip()
        code = LEAVES.format(outside=str(manager.outside), files=FILES)
        self.assertEqual(manager.capsule("exec", session, "-c", code).out, b"left\n")
        self.assertNotEqual(manager.workspaces(), [])
        manager.process.kill()
        manager.wait_gone()
        before = [p for p in manager.scratch.iterdir()]
        self.assertNotEqual(before, [])
        manager.start()
        wait_for(lambda: not any(p.exists() for p in before), 30, "what was left to be removed")
        self.assert_outside_is_whole(manager)
        manager.stop()


@unittest.skipUnless(os.geteuid() == 0, "only root can make what is another user's")
class ForeignDirectoryTest(unittest.TestCase):
    """No HOME and no XDG directory: what is left is a directory below /tmp, where others may have been first."""

    def setUp(self):
        self.place = pathlib.Path("/tmp", f"capsule-{ORDINARY}")
        self.assertFalse(os.path.lexists(self.place))
        self.victim = pathlib.Path("/tmp", f"capsule-test-victim-{os.getpid()}")
        self.victim.mkdir(mode=0o700)
        os.chown(self.victim, ORDINARY, ORDINARY)
        self.addCleanup(subprocess.run, ["rm", "-rf", "--", self.place, self.victim])

    def make_foreign(self, kind):
        if kind == "link":
            os.symlink(self.victim, self.place)
            os.chown(self.place, ORDINARY + 1, ORDINARY + 1, follow_symlinks=False)
        else:
            self.place.mkdir(mode=0o777)
            self.place.chmod(0o777)
            os.chown(self.place, ORDINARY + 1, ORDINARY + 1)

    def manager(self, *arguments):
        words = ["setpriv", "--reuid", str(ORDINARY), "--regid", str(ORDINARY), "--clear-groups", "env", "-i",
                 "PATH=/usr/bin:/bin", str(support.MANAGER), *arguments]
        return support.start(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/")

    def written(self):
        return sorted(p.name for place in (self.place, self.victim) if place.is_dir() for p in place.iterdir())

    def test_neither_socket_nor_state_is_put_there(self):
        for kind in ("link", "directory"):
            with self.subTest(kind):
                self.make_foreign(kind)
                done = support.finish(self.manager())
                self.assertNotEqual(done.status, 0, done)
                self.assertRegex(done.out, rb"another user", done)
                self.assertEqual(self.written(), [])
                self.place.unlink() if kind == "link" else self.place.rmdir()

    def test_a_socket_elsewhere_does_not_lead_state_there(self):
        for kind in ("link", "directory"):
            with self.subTest(kind):
                self.make_foreign(kind)
                ours = pathlib.Path("/tmp", f"capsule-test-ours-{os.getpid()}")
                ours.mkdir(mode=0o700)
                os.chown(ours, ORDINARY, ORDINARY)
                self.addCleanup(subprocess.run, ["rm", "-rf", "--", ours])
                child = self.manager("--socket", str(ours / "s"), "--allow-degraded")
                wait_for(lambda: (ours / "s").exists() or child.poll() is not None, 30, "a manager")
                child.terminate()
                done = support.finish(child)
                self.assertIn(b"a directory is not used", done.out, done)
                self.assertEqual(self.written(), [])
                self.place.unlink() if kind == "link" else self.place.rmdir()
                subprocess.run(["rm", "-rf", "--", ours])


if __name__ == "__main__":
    unittest.main()
