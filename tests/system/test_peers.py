"""Who may not come in although the socket's file lets them: what lives in a pid namespace of its own, as programs in
capsules do, and who has no user id of this machine."""
import os
import subprocess
import unittest

from support import CAPSULE, SHARED, SMALL, ManagerCase, as_user

OVERFLOW_UID = 65534
SAY = "import os; print(len(open('/proc/self/status').read().split('NSpid:')[1].splitlines()[0].split()))"


class PeersTest(ManagerCase):
    config = SMALL + (SHARED if os.geteuid() == 0 else "")

    def run_in(self, *wrapper, **options):
        environment = dict(self.manager.environment, CAPSULE_SOCKET=self.manager.socket)
        return subprocess.run([*wrapper, CAPSULE, "info", "manager"], env=environment, capture_output=True, timeout=60, **options)

    def assert_refused(self, done, why):
        self.assertEqual((done.returncode, done.stdout), (125, b""), done)
        self.assertIn(b"refused the connection", done.stderr)
        self.assertIn(why, self.manager.log())

    def test_a_client_in_a_pid_namespace_of_its_own_is_refused(self):
        inner = ("unshare", "--user", "--map-current-user", "--pid", "--fork")
        known = subprocess.run([*inner, "/usr/bin/python3", "-c", SAY], capture_output=True, timeout=60)
        self.assertEqual(known.stdout, b"2\n", known)
        self.assert_refused(self.run_in(*inner), "inner pid namespace")
        self.assertEqual(self.run_in().returncode, 0)

    def test_a_client_in_a_user_namespace_alone_is_its_user(self):
        self.assertEqual(self.run_in("unshare", "--user", "--map-current-user").returncode, 0)

    @unittest.skipUnless(os.geteuid() == 0, "needs root to be another user")
    def test_a_client_without_a_user_id_of_this_machine_is_refused_where_others_of_its_group_are_not(self):
        self.assertEqual(self.run_in(**as_user(1000)).returncode, 0)
        self.assert_refused(self.run_in(**as_user(OVERFLOW_UID)), "without a user id of this machine")


if __name__ == "__main__":
    unittest.main()
