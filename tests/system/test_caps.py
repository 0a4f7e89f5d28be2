"""What one user may have under way, and that its crashing programs slow nobody down."""
import unittest

from support import SMALL, ManagerCase

CRASH = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"


class CrashesTest(ManagerCase):
    config = SMALL + "[breaker]\ndeaths = 2\n[client]\nmax_crashes_per_minute_per_uid = 6\n"

    def test_crashing_programs_are_counted_against_their_user_and_never_trip_the_breaker(self):
        for _ in range(6):
            self.assert_verdict(self.manager.run_code(CRASH), "crashed", 139)
        self.assertEqual(self.manager.pool()["state"], "ready")
        document = self.manager.run_code("print('shed')")
        self.assert_verdict(document, "rejected", 125)
        self.assertIn("client.max_crashes_per_minute_per_uid", document["evidence"]["detail"])


class WorkersTest(ManagerCase):
    config = SMALL + "[client]\nmax_workers_per_uid = 2\nmax_sessions_per_uid = 1\n"

    def test_sessions_and_runs_share_the_workers_of_a_user(self):
        session = self.manager.capsule("session", "new").out.decode().strip()
        refused = self.manager.capsule("session", "new")
        self.assertEqual(refused.status, 125, refused)
        self.assertIn(b"client.max_sessions_per_uid", refused.err)
        running = self.manager.spawn("run", "--events", "-c", "import time; print('up', flush=True); time.sleep(60)")
        while b'"output"' not in running.stdout.readline():
            pass
        document = self.manager.run_code("1")
        self.assert_verdict(document, "rejected", 125)
        self.assertIn("client.max_workers_per_uid", document["evidence"]["detail"])
        running.kill()
        self.manager.capsule("session", "rm", session)
        self.manager.wait_settled()
        self.assert_next_run_works()


class ConnectionsTest(ManagerCase):
    config = SMALL + "[client]\nmax_connections_per_uid = 2\n"

    def test_a_user_gets_so_many_connections(self):
        with self.manager.raw(), self.manager.raw(), self.manager.raw() as third:
            refusal = third.receive()
        self.assertEqual(refusal["type"], "error")
        self.assertIn("client.max_connections_per_uid", refusal["message"])


if __name__ == "__main__":
    unittest.main()
