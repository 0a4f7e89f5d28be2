"""What depends on the user: the tiers, the layers, and the short attacks on files, descriptors and the manager once more
without root, where the suite runs as root. Without root the suite itself is that."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from support import BUILD, ROOT

USER = 1000
BECOME_USER = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]


@unittest.skipUnless(os.geteuid() == 0, "without root all tests run as an ordinary user anyway")
class AsUserTest(unittest.TestCase):
    def setUp(self):
        places = ["test", "-r", str(ROOT / "tests" / "attacks"), "-a", "-x", str(BUILD / "cli")]
        reads = subprocess.run([*BECOME_USER, *places], check=False)
        if reads.returncode != 0:
            self.skipTest(f"an ordinary user cannot read {ROOT}: clone it where everybody may")

    def run_as_user(self, *command, seconds):
        home = tempfile.mkdtemp(prefix="capsule-user-")
        self.addCleanup(shutil.rmtree, home, ignore_errors=True)
        os.chown(home, USER, USER)
        environment = {"HOME": home, "TMPDIR": home, "PATH": os.environ["PATH"], "LANG": "C.UTF-8",
                       "CAPSULE_BUILD": str(BUILD)}
        return subprocess.run([*BECOME_USER, *command], env=environment, cwd=ROOT / "tests" / "system",
                              capture_output=True, text=True, timeout=seconds)

    def test_tiers_and_layers(self):
        done = self.run_as_user(sys.executable, "-W", "ignore", "-B", "-m", "unittest", "test_sandbox_tiers",
                                "test_sandbox_layers", "test_out_of_reach", seconds=500)
        self.assertEqual(done.returncode, 0, done.stdout[-1000:] + done.stderr[-6000:])

    def test_memory_without_control_groups(self):
        done = self.run_as_user(sys.executable, "-W", "ignore", "-B", "-m", "unittest",
                                "test_branch_limits.MemoryOfSnapshotsWithoutGroups", seconds=300)
        self.assertEqual(done.returncode, 0, done.stdout[-1000:] + done.stderr[-6000:])

    def test_short_attacks_on_files_descriptors_and_the_manager(self):
        done = self.run_as_user(sys.executable, "-B", str(ROOT / "tests" / "attacks" / "run_attacks.py"), "--short",
                                "--filter", "^[CEJ]", seconds=500)
        self.assertEqual(done.returncode, 0, done.stdout[-6000:] + done.stderr[-2000:])
        self.assertIn(f"uid {USER},", done.stdout)


if __name__ == "__main__":
    unittest.main()
