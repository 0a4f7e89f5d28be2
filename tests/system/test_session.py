"""Sessions: state that outlives runs, and what each way of ending a run does to it."""
import os
import pathlib
import signal
import unittest

from processes import wait_for
from support import ManagerCase, finish, program


class SessionTest(ManagerCase):
    def setUp(self):
        done = self.manager.capsule("session", "new")
        self.assertEqual(done.status, 0, done)
        self.session = done.out.decode().strip()
        self.assertRegex(self.session, r"^[a-z0-9-]{1,64}$")
        self.addCleanup(lambda: self.manager.capsule("session", "rm", self.session))

    def exec(self, code, *arguments):
        return self.manager.exec(self.session, code, *arguments)

    def text_of(self, code):
        document = self.exec(code)
        self.assert_verdict(document, "ok", 0)
        return document["result"]["text/plain"]

    def sessions(self):
        return {s["session"]: s for s in self.manager.info("sessions")["sessions"]}

    def test_names_stay_from_one_run_to_the_next(self):
        self.exec("import math\nr = 2\ndef area(): return math.pi * r")
        self.assertEqual(self.text_of("round(area(), 3)"), "6.283")
        self.assertEqual(self.text_of("r += 1; r"), "3")

    def test_exec_prints_the_value_for_people(self):
        done = self.manager.capsule("exec", self.session, "-c", "print('p'); 1 + 1")
        self.assertEqual((done.status, done.out), (0, b"p\n2\n"), done)

    def test_an_exception_keeps_the_state(self):
        self.exec("kept = 1")
        document = self.exec("1 / 0")
        self.assert_verdict(document, "exception", 1)
        self.assertEqual(document["evidence"]["session_state"], "kept")
        self.assertEqual(self.text_of("kept"), "1")

    def test_system_exit_is_exit_and_keeps_the_state(self):
        self.exec("kept = 1")
        self.assert_verdict(self.exec("raise SystemExit(4)"), "exit", 4)
        self.assertEqual(self.text_of("kept"), "1")

    def test_a_timeout_by_interrupt_keeps_the_state(self):
        self.exec("kept = 1")
        document = self.exec("import time\nwhile True: time.sleep(0.01)", "--timeout", "0.3")
        self.assert_verdict(document, "timeout", 124)
        self.assertEqual((document["evidence"]["rung"], document["evidence"]["session_state"]), ("interrupt", "kept"))
        self.assertEqual(self.text_of("kept"), "1")

    def test_without_rollback_each_death_leaves_a_fresh_namespace_and_the_session_answers(self):
        deaths = {"os__exit": ("exit", 7), "segfault": ("crashed", 139), "kill_itself": ("crashed", 137),
                  "close_all_fds": ("worker_lost", 137)}
        for name, (verdict, status) in deaths.items():
            with self.subTest(name):
                session = self.manager.capsule("session", "new", "--rollback", "off").out.decode().strip()
                self.manager.exec(session, "lost = 1")
                document = self.manager._document(self.manager.capsule("exec", "--json", session, program(name)))
                self.assert_verdict(document, verdict, status)
                self.assertEqual(document["evidence"]["session_state"], "fresh")
                self.assert_verdict(self.manager.exec(session, "lost"), "exception", 1)
                self.assertEqual(self.manager.exec(session, "1 + 1")["result"]["text/plain"], "2")
                self.manager.capsule("session", "rm", session)

    def test_a_worker_that_dies_between_runs_is_told_with_the_next_verdict(self):
        self.exec("kept = 1\nimport os, threading, time\n"
                  "threading.Thread(target=lambda: (time.sleep(0.2), os._exit(3))).start()")
        pid = self.sessions()[self.session]["worker_pid"]
        wait_for(lambda: self.sessions()[self.session]["worker_pid"] not in (0, pid), what="a new worker")
        document = self.exec("'kept' in globals()")
        self.assert_verdict(document, "ok", 0)
        self.assertEqual(document["result"]["text/plain"], "False")
        self.assertEqual(document["evidence"]["session_state"], "fresh")
        self.assertIn("exit 3", document["evidence"]["detail"])
        self.assertEqual(self.exec("1")["evidence"]["session_state"], "kept")

    def test_a_program_that_ruins_builtins_or_modules_ruins_only_itself(self):
        self.exec("import builtins, sys\nkept = 1\ndel builtins.len")
        self.assertEqual(self.text_of("kept"), "1")
        self.exec("sys.modules.clear()")
        self.assertEqual(self.text_of("kept"), "1")

    def test_reset_gives_a_fresh_namespace(self):
        self.exec("gone = 1")
        done = self.manager.capsule("session", "reset", self.session)
        self.assertEqual(done.status, 0, done)
        document = self.exec("gone")
        self.assert_verdict(document, "exception", 1)
        self.assertEqual(document["error"]["name"], "NameError")

    def test_one_run_at_a_time_in_order_of_arrival(self):
        self.exec("order = []")
        first = self.manager.spawn("exec", "--events", self.session, "-c",
                                   "print('started', flush=True)\nimport time; time.sleep(0.5); order.append(1)")
        while b'"started\\n"' not in first.stdout.readline():
            continue
        others = []
        for number in (2, 3, 4):
            others.append(self.manager.spawn("exec", self.session, "-c", f"order.append({number})"))
            wait_for(lambda: self.sessions()[self.session]["queued"] == number - 1, what="the run is queued")
        for child in (first, *others):
            self.assertEqual(finish(child).status, 0)
        self.assertEqual(self.text_of("order"), "[1, 2, 3, 4]")

    def test_output_of_a_left_over_thread_never_lands_in_the_next_run(self):
        document = self.exec("import threading, time\nstop = False\n"
                             "def chatter():\n    while not stop: print('late'); time.sleep(0.005)\n"
                             "threading.Thread(target=chatter, daemon=True).start()")
        self.assert_verdict(document, "ok", 0)
        self.assertEqual(document["evidence"]["left_threads"], 1)
        document = self.exec("import time; time.sleep(0.2); print('mine')")
        self.assertEqual(document["stdout"], "mine\n")
        wait_for(lambda: self.sessions()[self.session]["late_output_bytes"] > 0, what="late output is counted")
        self.exec("stop = True")

    def test_what_a_left_over_thread_prints_reaches_its_client_as_late_output(self):
        code = ("import threading, time\n"
                "def later():\n    time.sleep(0.3)\n    print('too late', flush=True)\n"
                "threading.Thread(target=later, daemon=True).start()\nprint('in time')")
        with self.manager.raw() as client:
            client.hello()
            run_id = client.execute(code, session=self.session, mode="cell")
            outputs, late = [], None
            while late is None:
                message = client.receive()
                self.assertIsNotNone(message)
                if message["type"] == "output":
                    outputs.append(message)
                    late = message if message.get("late") else None
        self.assertEqual(b"".join(m["data"] for m in outputs if not m.get("late")), b"in time\n")
        self.assertEqual((late["run_id"], late["data"], late["offset"]), (run_id, b"too late\n", 8))

    def test_sessions_are_listed_and_removed(self):
        self.assertIn(self.session, self.sessions())
        listed = self.manager.capsule("session", "ls")
        self.assertIn(self.session.encode(), listed.out)
        self.assertEqual(self.manager.capsule("session", "rm", self.session).status, 0)
        self.assertNotIn(self.session, self.sessions())
        done = self.manager.capsule("exec", self.session, "-c", "1")
        self.assertEqual(done.status, 125, done)
        self.assertIn(self.session.encode(), done.err)

    def test_removing_a_busy_session_ends_its_run(self):
        child = self.manager.spawn("exec", "--json", self.session, "-c", "import time; time.sleep(600)")
        wait_for(lambda: self.sessions()[self.session]["state"] == "busy", what="the session is busy")
        self.assertEqual(self.manager.capsule("session", "rm", self.session).status, 0)
        self.assertIn(finish(child).document()["verdict"], ("cancelled", "aborted"))

    def test_a_name_can_be_chosen_once(self):
        self.assertEqual(self.manager.capsule("session", "new", "mine").out, b"mine\n")
        again = self.manager.capsule("session", "new", "mine")
        self.assertEqual((again.status, again.out), (125, b""), again)
        self.assertEqual(self.manager.capsule("session", "rm", "mine").status, 0)

    def test_a_bad_name_is_refused(self):
        for name in ("UPPER", "a/b", "a" * 65, "ünique"):
            self.assertEqual(self.manager.capsule("session", "new", name).status, 125, name)
        with self.manager.raw() as client:
            client.hello()
            for name in ("-", "-rf"):  # reads like an option of the command
                client.send({"type": "session", "id": 5, "operation": "new", "session": name})
                answer = client.receive()
                self.assertEqual((answer["type"], answer["code"]), ("error", "invalid"), answer)
                self.assertIn("does not begin with '-'", answer["message"])

    def test_what_follows_two_dashes_is_not_dropped_unseen(self):
        done = self.manager.capsule("session", "new", "--", "lab")
        self.assertEqual((done.status, done.out), (2, b""), done)
        self.assertIn(b"'session' takes nothing after --", done.err)

    def test_an_idle_session_closes_by_itself(self):
        done = self.manager.capsule("session", "new", "short", "--idle-timeout", "0.3")
        self.assertEqual(done.status, 0, done)
        wait_for(lambda: "short" not in self.sessions(), 10, "the session is closed")

    def test_a_capsule_that_dies_whole_is_replaced(self):
        self.exec("x = 1")
        self.kill_whole_capsule()

    def test_a_capsule_that_dies_whole_with_its_snapshots_is_replaced(self):
        self.exec("x = 1")
        self.assertTrue(self.exec("y = 1", "--rollback", "always")["evidence"]["fallback"]["snapshot"])
        self.kill_whole_capsule()

    def kill_whole_capsule(self):
        worker = self.sessions()[self.session]["worker_pid"]
        keeper = int(pathlib.Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[1])
        # The manager learns of both deaths in one turn of its loop, the worker's first.
        self.manager.signal(signal.SIGSTOP)
        os.kill(worker, signal.SIGKILL)
        os.kill(keeper, signal.SIGKILL)
        self.manager.signal(signal.SIGCONT)
        wait_for(lambda: self.sessions()[self.session]["worker_pid"] not in (worker, None, 0), what="a new worker")
        self.assertEqual(self.text_of("'x' in globals()"), "False")

    def test_many_sessions_at_once_are_apart(self):
        names = [f"s{n}" for n in range(5)]
        for name in names:
            self.assertEqual(self.manager.capsule("session", "new", name).status, 0)
            self.manager.exec(name, f"me = {name!r}")
        for name in names:
            self.assertEqual(self.manager.exec(name, "me")["result"]["text/plain"], repr(name))
        self.assertEqual(self.manager.capsule("session", "rm", *names).status, 0)


if __name__ == "__main__":
    unittest.main()
