"""What one user may have under way, and that its crashing programs slow nobody down."""
import unittest

from processes import wait_for
from support import SMALL, ManagerCase, finish, read_event

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
    config = config.replace("[pool]", "[pool]\nacquire_timeout_s = 2", 1)

    def test_sessions_and_runs_share_the_workers_of_a_user_and_a_run_beyond_waits(self):
        session = self.manager.capsule("session", "new").out.decode().strip()
        refused = self.manager.capsule("session", "new")
        self.assertEqual(refused.status, 125, refused)
        self.assertIn(b"client.max_sessions_per_uid", refused.err)
        running = self.manager.spawn("run", "--events", "-c", "import time; print('up', flush=True); time.sleep(60)")
        read_event(running, "output")
        self.assert_verdict(self.manager.exec(session, "print('a session has its worker')"), "ok", 0)
        late = self.manager.run_code("1")
        self.assert_verdict(late, "rejected", 125)
        self.assertIn("client.max_workers_per_uid", late["evidence"]["detail"])
        self.assertTrue(late["evidence"]["layers"], late)
        waiting = self.manager.spawn("run", "-c", "print('waited')")
        wait_for(lambda: self.manager.info("queue")["queue"]["depth"] == 1, 20, "the run to wait")
        self.manager.capsule("session", "rm", session)
        self.assertEqual(finish(waiting).out, b"waited\n")
        running.kill()

    def test_a_session_beyond_is_refused(self):
        running = [self.manager.spawn("run", "--events", "-c", "import time; print('up', flush=True); time.sleep(60)")
                   for _ in range(2)]
        for child in running:
            read_event(child, "output")
        refused = self.manager.capsule("session", "new")
        self.assertEqual(refused.status, 125, refused)
        self.assertIn(b"client.max_workers_per_uid", refused.err)
        for child in running:
            child.kill()


class ConnectionsTest(ManagerCase):
    config = SMALL + "[client]\nmax_connections_per_uid = 2\n"

    def test_a_user_gets_so_many_connections(self):
        with self.manager.raw(), self.manager.raw(), self.manager.raw() as third:
            refusal = third.receive()
        self.assertEqual(refusal["type"], "error")
        self.assertIn("client.max_connections_per_uid", refusal["message"])


if __name__ == "__main__":
    unittest.main()
