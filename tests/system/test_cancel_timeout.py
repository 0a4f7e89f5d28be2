"""The ladder: interrupt first, then kill; and who asked for it decides the verdict."""
import signal
import unittest

from processes import wait_for
from support import SMALL, ManagerCase, finish, last_event, program, read_event

CONFIG = SMALL + """
[run]
grace_s = 0.3
[queue]
max_running = 3
"""

SLEEP = "import time\nprint('running', flush=True)\nwhile True: time.sleep(0.01)"


class TimeoutTest(ManagerCase):
    config = CONFIG

    def assert_timeout(self, document, rung):
        self.assert_verdict(document, "timeout", 124)
        self.assertEqual(document["evidence"]["rung"], rung, document)
        self.assertIn("wall_ms=500", document["evidence"]["limit"])

    def test_a_loop_is_interrupted(self):
        document = self.manager.run_code(SLEEP, "--timeout", "0.5")
        self.assert_timeout(document, "interrupt")
        self.assertEqual(document["stdout"], "running\n")
        self.assertGreaterEqual(document["usage"]["wall_s"], 0.5)
        self.assertLess(document["usage"]["wall_s"], 5)

    def test_a_regular_expression_is_interrupted(self):
        self.assert_timeout(self.manager.run(program("catastrophic_regex"), "--timeout", "0.5"), "interrupt")

    def test_a_forgotten_thread_is_interrupted_at_the_end_of_the_program(self):
        document = self.manager.run(program("thread_for_ever"), "--timeout", "0.5")
        self.assert_verdict(document, "timeout", 124)
        self.assertEqual(document["stdout"], "main is done\n")

    def test_what_does_not_react_is_killed_and_its_output_kept(self):
        for name, output in (("ignore_sigint", "deaf\n"), ("catch_keyboard_interrupt", "stubborn\n"),
                             ("gil_holding_c_loop", "gone\n"), ("sigstop_itself", "before\n")):
            with self.subTest(name):
                document = self.manager.run(program(name), "--timeout", "0.5")
                self.assert_timeout(document, "kill")
                self.assertEqual(document["stdout"], output)
                self.assertEqual(document["evidence"]["last_output"], output)

    def test_cleanup_code_runs_when_interrupted(self):
        # Not `pass`: CPython 3.11 lets an interrupt of that loop past its `finally`, without Capsule too.
        code = "import time\ntry:\n    while True: time.sleep(0.01)\nfinally:\n    print('cleaned')"
        document = self.manager.run_code(code, "--timeout", "0.5")
        self.assert_timeout(document, "interrupt")
        self.assertEqual(document["stdout"], "cleaned\n")

    def test_await_is_interrupted(self):
        self.assert_timeout(self.manager.run_code("import asyncio\nawait asyncio.sleep(600)", "--timeout", "0.5"),
                            "interrupt")

    def test_a_process_that_the_program_waits_for_does_not_delay_the_end(self):
        document = self.manager.run_code("import subprocess\nsubprocess.run(['sleep', '600'])", "--timeout", "0.5")
        self.assert_verdict(document, "timeout", 124)
        self.assertLess(document["usage"]["wall_s"], 5)

    def test_a_run_without_time_left_over_is_not_touched(self):
        self.assert_verdict(self.manager.run_code("print('quick')", "--timeout", "60"), "ok", 0)


class CancelTest(ManagerCase):
    config = CONFIG

    def start(self, *arguments):
        """The command and its run's id, once the program has printed."""
        child = self.manager.spawn("run", "--events", *arguments)
        run_id = read_event(child, "output")["run_id"]
        return child, run_id

    def test_another_client_cancels(self):
        child, run_id = self.start("-c", SLEEP)
        done = self.manager.capsule("cancel", run_id)
        self.assertEqual(done.status, 0, done)
        event = last_event(child)
        self.assertEqual((event["verdict"], event["exit_status"]), ("cancelled", 130), event)
        self.assertEqual(event["evidence"]["rung"], "interrupt")

    def test_the_second_rung_kills(self):
        child, run_id = self.start(program("catch_keyboard_interrupt"))
        self.manager.capsule("cancel", run_id)
        event = last_event(child)
        self.assertEqual((event["verdict"], event["evidence"]["rung"]), ("cancelled", "kill"), event)

    def test_cancelling_twice_is_cancelling_once(self):
        child, run_id = self.start(program("ignore_sigint"))
        self.assertEqual(self.manager.capsule("cancel", run_id).status, 0)
        self.manager.capsule("cancel", run_id)
        self.assertEqual(last_event(child)["verdict"], "cancelled")

    def test_ctrl_c_cancels_the_run(self):
        child, _ = self.start("-c", SLEEP)
        child.send_signal(signal.SIGINT)
        self.assertEqual(last_event(child)["verdict"], "cancelled")

    def test_a_queued_run_is_cancelled_without_starting(self):
        running = [self.start("-c", SLEEP) for _ in range(3)]
        queued = self.manager.spawn("run", "--events", "-c", "print('never')")
        run_id = read_event(queued, "accepted")["run_id"]
        self.assertEqual(self.manager.find_run(run_id)["state"], "queued")
        self.assertEqual(self.manager.capsule("cancel", run_id).status, 0)
        event = last_event(queued)
        self.assertEqual((event["verdict"], event["evidence"]["output"]["stdout_bytes"]), ("cancelled", 0))
        for child, other in running:
            self.manager.capsule("cancel", other)
            self.assertEqual(last_event(child)["verdict"], "cancelled")

    def test_a_run_that_is_not_there_cannot_be_cancelled(self):
        done = self.manager.capsule("cancel", "00000000-0000-7000-8000-000000000000")
        self.assertEqual(done.status, 125, done)
        finished = self.manager.run_code("1")["run_id"]
        self.assertEqual(self.manager.capsule("cancel", finished).status, 125)

    def test_a_client_that_dies_takes_its_run_along(self):
        child, run_id = self.start("-c", SLEEP)
        child.kill()
        finish(child)
        found = wait_for(lambda: (r := self.manager.find_run(run_id)) and r["state"] == "finished" and r,
                         what="the run has ended")
        self.assertEqual(found["verdict"], "cancelled")

    def test_the_next_run_is_not_hit_by_the_cancel_of_the_one_before(self):
        for _ in range(5):
            child, run_id = self.start("-c", "print('quick', flush=True)")
            self.manager.capsule("cancel", run_id)
            self.assertIn(last_event(child)["verdict"], ("ok", "cancelled"))
            self.assert_next_run_works()

    def test_catching_the_interrupt_does_not_undo_the_timeout(self):
        code = "import time\ntry: time.sleep(10)\nexcept KeyboardInterrupt: print('caught')"
        document = self.manager.run("-c", code, "--timeout", "0.3")
        self.assert_verdict(document, "timeout", 124)
        self.assertEqual((document["stdout"], document["evidence"]["rung"]), ("caught\n", "interrupt"))


if __name__ == "__main__":
    unittest.main()
