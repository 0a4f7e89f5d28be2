"""What one user may have under way, and that its crashing programs slow nobody down."""
import contextlib
import os
import statistics
import threading
import time
import unittest

from branches import connected_as
from processes import wait_for
from support import SHARED, SMALL, ManagerCase, as_user, finish, read_event

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


@unittest.skipUnless(os.geteuid() == 0, "needs root to be two users")
class TwoUsersTest(ManagerCase):
    config = SMALL + SHARED + "[breaker]\ndeaths = 2\n[client]\nmax_crashes_per_minute_per_uid = 12\n"
    crasher, neighbour = 2001, 2002

    def crash_until_shed(self, documents):
        while not documents or documents[-1]["verdict"] == "crashed":
            documents.append(self.manager.run_code(CRASH, **as_user(self.crasher)))

    def test_programs_of_one_user_that_crash_take_nothing_from_another_user(self):
        crashed = [[], [], []]
        threads = [threading.Thread(target=self.crash_until_shed, args=(documents,)) for documents in crashed]
        for thread in threads:
            thread.start()
        session = self.manager.capsule("session", "new", **as_user(self.neighbour)).out.decode().strip()
        rounds = 0
        while rounds < 5 or any(thread.is_alive() for thread in threads):
            rounds += 1
            document = self.manager.run_code(f"print({rounds} ** 2)", **as_user(self.neighbour))
            self.assertEqual((document["verdict"], document["stdout"]), ("ok", f"{rounds ** 2}\n"), document)
            document = self.manager.exec(session, f"n = globals().get('n', 0) + 1; n", **as_user(self.neighbour))
            self.assertEqual((document["verdict"], document["result"]["text/plain"]), ("ok", str(rounds)), document)
        for thread in threads:
            thread.join()
        verdicts = [document["verdict"] for documents in crashed for document in documents]
        self.assertGreaterEqual(verdicts.count("crashed"), 12)
        self.assertEqual(verdicts.count("rejected"), 3, verdicts)
        for documents in crashed:
            self.assertIn("client.max_crashes_per_minute_per_uid", documents[-1]["evidence"]["detail"])
        pool = self.manager.pool()
        self.assertEqual((pool["state"], pool["breaker"]["state"], pool["breaker"]["deaths"]), ("ready", "closed", 0))
        self.assertEqual(self.manager.capsule("session", "rm", session, **as_user(self.neighbour)).status, 0)

    def test_what_a_user_has_does_not_exist_for_another(self):
        session = self.manager.capsule("session", "new", **as_user(self.neighbour)).out.decode().strip()
        running = self.manager.spawn("exec", "--events", session, "-c", "print('up', flush=True); input()",
                                     **as_user(self.neighbour))
        run_id = read_event(running, "output")["run_id"]
        for words in (("exec", session, "-c", "1"), ("session", "rm", session), ("cancel", run_id),
                      ("cp", f"{session}:a", "-")):
            done = self.manager.capsule(*words, **as_user(self.crasher))
            self.assertEqual(done.status, 125, (words, done))
            self.assertIn(b"no session" if session in " ".join(words) else b"no run", done.err)
        seen = self.manager.capsule("info", "--json", **as_user(self.crasher)).out.decode()
        self.assertFalse(session in seen or run_id in seen, "info shows what is another user's")
        running.communicate(b"\n", timeout=20)
        self.assertEqual(self.manager.capsule("session", "rm", session, **as_user(self.neighbour)).status, 0)


@unittest.skipUnless(os.geteuid() == 0, "needs root to be two users")
class SlowedTest(ManagerCase):
    """One user whose programs do nothing but crash, at its cap and beyond, beside one with a session and short programs."""

    crashes_max, crashing_clients = 150, 2
    config = SMALL + SHARED + f"[breaker]\ndeaths = 2\n[client]\nmax_crashes_per_minute_per_uid = {crashes_max}\n"
    crasher, neighbour = 2001, 2002
    cells_min = 40
    # Two processors serve everybody here, and each crash makes another worker. Less than a turn or two of the scheduler is
    # no yardstick for what a cell or a program takes when it is quiet.
    slowed_factor, floor_s = 8.0, 0.01

    def crash(self, client, verdicts, stopping):
        while not stopping.is_set():
            client.next_id += 1
            client.send({"type": "execute", "id": client.next_id, "mode": "script", "code": CRASH.encode()})
            answer = client.receive_of("finished", "error")
            verdicts.append((answer.get("verdict", "rejected"), str(answer)))

    def measured(self, client, session, is_over):
        """Medians of a cell of the session and of a program of its own, each with the right result, until `is_over`."""
        cells, programs, n = [], [], 0
        while n < self.cells_min or not is_over():
            n += 1
            started = time.monotonic()
            outcome = client.run(session, f"total += {n}; ({n}, total)")
            cells.append(time.monotonic() - started)
            self.total += n
            self.assertEqual((outcome.verdict, outcome.result), ("ok", f"({n}, {self.total})"), outcome)
            started = time.monotonic()
            outcome = client.run("", f"print({n} ** 2)", mode="script")
            programs.append(time.monotonic() - started)
            self.assertEqual((outcome.verdict, outcome.stdout), ("ok", f"{n ** 2}\n"), outcome)
        return statistics.median(cells), statistics.median(programs)

    def test_programs_that_crash_at_their_users_cap_do_not_slow_another_user(self):
        verdicts, stopping = [], threading.Event()
        with contextlib.ExitStack() as stack:
            client = stack.enter_context(connected_as(self.neighbour, self.manager.socket))
            crashing = [stack.enter_context(connected_as(self.crasher, self.manager.socket)) for _ in range(self.crashing_clients)]
            session = client.new(rollback="off")
            self.total = 0
            client.run(session, "total = 0")
            quiet = self.measured(client, session, lambda: True)
            threads = [threading.Thread(target=self.crash, args=(each, verdicts, stopping)) for each in crashing]
            for thread in threads:
                thread.start()
            try:
                below_cap = self.measured(client, session, lambda: any(verdict == "rejected" for verdict, _ in verdicts))
                beyond_cap = self.measured(client, session, lambda: True)
            finally:
                stopping.set()
                for thread in threads:
                    thread.join()
            client.session("rm", session)
        counts = {word: sum(verdict == word for verdict, _ in verdicts) for word in ("crashed", "rejected")}
        self.assertGreaterEqual(counts["crashed"], self.crashes_max, counts)
        self.assertEqual(sum(counts.values()), len(verdicts), verdicts[-1])
        refused = [text for verdict, text in verdicts if verdict == "rejected"]
        self.assertIn("client.max_crashes_per_minute_per_uid", refused[-1])
        for while_crashing in (below_cap, beyond_cap):
            for slow, fast in zip(while_crashing, quiet):
                self.assertLessEqual(slow, self.slowed_factor * max(fast, self.floor_s), (quiet, below_cap, beyond_cap, counts))
        pool = self.manager.pool()
        self.assertEqual((pool["state"], pool["breaker"]["state"], pool["breaker"]["deaths"]), ("ready", "closed", 0))


class WorkersTest(ManagerCase):
    config = SMALL + "[client]\nmax_workers_per_uid = 2\nmax_sessions_per_uid = 1\n"
    config = config.replace("[pool]", "[pool]\nacquire_timeout_s = 2", 1)

    def setUp(self):
        super().setUp()
        wait_for(lambda: all(run["state"] == "finished" for run in self.manager.info("runs")["runs"]), 20,
                 "the workers of the test before are given back")

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


class QueueTest(ManagerCase):
    config = SMALL + "[client]\nmax_queued_per_uid = 3\n"

    def test_a_run_beyond_what_a_user_may_have_queued_is_refused_and_the_others_run(self):
        session = self.manager.capsule("session", "new").out.decode().strip()
        with self.manager.raw() as client, self.manager.raw() as same_user:
            client.hello(), same_user.hello()
            running = client.execute("input()", session=session, standard_input=True)
            client.receive_of("started")
            queued = [client.execute(f"print({n})", session=session) for n in range(3)]
            refusal = same_user.execute("print('never')", session=session)
            self.assertIn("client.max_queued_per_uid", refusal["message"])
            client.send({"type": "input", "run_id": running, "data": b"x\n", "eof": True})
            ended = [client.messages_until_finished()[-1] for _ in range(4)]
            self.assertEqual([(each["run_id"], each["verdict"]) for each in ended], [(run, "ok") for run in [running, *queued]])
        self.manager.capsule("session", "rm", session)


class ConnectionsTest(ManagerCase):
    config = SMALL + "[client]\nmax_connections_per_uid = 2\n"

    @classmethod
    def tearDownClass(cls):
        wait_for(lambda: cls.manager.capsule("info", "manager").status == 0, 20, "a connection")
        super().tearDownClass()

    def greeted(self):
        """A connection that counts. The manager may not have seen yet that earlier ones have ended."""

        def attempt():
            client = self.manager.raw()
            with contextlib.suppress(AssertionError, ConnectionError):
                client.hello()
                self.addCleanup(client.close)
                return client
            client.close()

        return wait_for(attempt, 20, "a connection")

    def test_a_user_gets_so_many_connections(self):
        self.greeted(), self.greeted()
        with self.manager.raw() as third:
            refusal = third.receive()
        self.assertEqual(refusal["type"], "error")
        self.assertIn("client.max_connections_per_uid", refusal["message"])

    def test_the_command_says_that_it_was_refused_and_starts_no_other_manager(self):
        self.greeted(), self.greeted()
        for words in (("info",), ("run", "-c", "1")):
            done = self.manager.capsule(*words)
            self.assertEqual(done.status, 125, done)
            self.assertIn(b"refused the connection: too many connections of this user", done.err)
            self.assertNotIn(b"no manager", done.err)


if __name__ == "__main__":
    unittest.main()
