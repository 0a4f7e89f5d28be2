"""Cancel: seen as KeyboardInterrupt, by its own run only; and top-level await."""
import unittest

from support import READY, WorkerTest


class Interrupt(WorkerTest):
    def cancelled(self, code, asleep=False, **options):
        run_id = self.worker.start(code, **options)
        self.worker.wait_until_ready()
        if asleep:
            self.worker.wait_until_asleep()
        self.worker.cancel(run_id)
        return self.worker.outcome()

    def check_cancelled(self, outcome):
        self.assertEqual((outcome.verdict, outcome.exit_status, outcome.error["name"], outcome.late_interrupts),
                         ("cancelled", 130, "KeyboardInterrupt", 0), outcome)
        return outcome

    def test_endless_loop_is_interrupted_and_the_state_is_kept(self):
        outcome = self.check_cancelled(self.cancelled("x = 7\n" + READY + "while True: pass"))
        self.assertIn('File "<cell 1>", line ', outcome.traceback)
        self.assertNotIn("_capsule", outcome.traceback)
        self.assertEqual(self.run_cell("x").text, "7")

    def test_sleep_lock_read_and_wait_are_interrupted_where_they_are(self):
        for wait in ("import time; time.sleep(60)",
                     "import threading; threading.Event().wait()", "import os; os.read(os.pipe()[0], 1)",
                     "import subprocess; subprocess.run(['sleep', '60'])"):
            outcome = self.check_cancelled(self.cancelled(READY + wait, asleep=True))
            self.assertIn(wait, outcome.traceback)
            self.assertNotIn("_capsule", outcome.traceback)

    def test_what_was_printed_before_arrives(self):
        outcome = self.cancelled("print('before', end='')\n" + READY + "while True: pass")
        self.assertEqual(outcome.stdout, "before")

    def test_program_that_handles_the_interrupt_ends_as_it_likes(self):
        handled = f"try:\n    exec({READY!r})\n    while True: pass\nexcept KeyboardInterrupt:\n    x = 'handled'\n"
        self.assertEqual(self.check_ok(self.cancelled(handled + "x")).text, "'handled'")
        self.assertEqual(self.cancelled(handled + "raise SystemExit(3)").exit_status, 3)

    def test_handler_of_the_program_counts_in_its_own_run_only(self):
        code = ("import signal\nhits = []\nsignal.signal(signal.SIGINT, lambda *_: hits.append(1))\n"
                + READY + "while not hits: pass\nhits")
        self.assertEqual(self.check_ok(self.cancelled(code)).text, "[1]")
        self.check_cancelled(self.cancelled(READY + "while True: pass"))

    def test_blocked_or_ignored_signal_is_ours_again_in_the_next_run(self):
        self.run_cell("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
                      "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])")
        self.check_cancelled(self.cancelled(READY + "while True: pass"))

    def test_request_before_the_start_stops_the_run_before_its_first_line(self):
        self.assertTrue(self.worker.healthy())
        self.worker.cancel("early")
        outcome = self.check_cancelled(self.run_cell("print('never')", run_id="early"))
        self.assertEqual(outcome.stdout, "")

    def test_late_request_is_counted_once_and_hurts_nobody(self):
        self.run_cell("1", run_id="first")
        self.worker.cancel("first")
        self.assertTrue(self.worker.healthy())
        outcome = self.check_ok(self.run_cell("'second'"))
        self.assertEqual((outcome.text, outcome.late_interrupts), ("'second'", 1))
        self.assertEqual(self.run_cell("3").late_interrupts, 0)

    def test_request_for_another_run_leaves_this_one_alone(self):
        self.run_cell("1", run_id="first")
        self.worker.start("import signal\n" + READY + "signal.sigtimedwait([], 0.2)\n'unharmed'")
        self.worker.wait_until_ready()
        self.worker.cancel("first")
        outcome = self.check_ok(self.worker.outcome())
        self.assertEqual((outcome.text, outcome.late_interrupts), ("'unharmed'", 1))

    def test_repr_exit_callbacks_and_waiting_for_threads_are_interrupted(self):
        spin = f"exec({READY + 'while True: pass'!r})"
        self.check_cancelled(self.cancelled(f"class A:\n    def __repr__(self): {spin}\nA()"))
        self.check_cancelled(self.cancelled(
            READY + "import threading; threading.Thread(target=threading.Event().wait, daemon=False).start()",
            mode="script", session=False))

    def test_exit_callback_is_interrupted(self):
        spin = f"exec({READY + 'while True: pass'!r})"
        self.assertEqual(self.cancelled(f"import atexit\ndef f(): {spin}\natexit.register(f)\n1",
                                        mode="script", session=False).verdict, "cancelled")

    def test_message_that_never_ends_is_interrupted(self):
        spin = f"exec({READY + 'while True: pass'!r})"
        outcome = self.cancelled(f"class E(Exception):\n    def __str__(self): {spin}\nraise E")
        self.assertEqual(outcome.verdict, "cancelled")

    def test_interrupt_in_the_middle_of_deep_recursion_names_user_frames_only(self):
        outcome = self.check_cancelled(self.cancelled(
            f"def f(n):\n    if n: return f(n - 1)\n    exec({READY!r})\n    while True: pass\nf(300)"))
        self.assertNotIn("_capsule", outcome.traceback)
        self.assertIn("[Previous line repeated 297 more times]", outcome.traceback)


class Await(WorkerTest):
    def test_await_in_body_and_last_expression_share_one_loop_and_task(self):
        outcome = self.check_ok(self.run_cell(
            "import asyncio\nloop = asyncio.get_running_loop()\nt = asyncio.create_task(asyncio.sleep(0, 'done'))\n"
            "await asyncio.sleep(0)\n(await t, asyncio.get_running_loop() is loop)"))
        self.assertEqual((outcome.text, outcome.awaited), ("('done', True)", True))

    def test_last_expression_without_await_runs_inside_the_loop_too(self):
        outcome = self.run_cell("import asyncio\nawait asyncio.sleep(0)\nasyncio.get_running_loop().is_running()")
        self.assertEqual(outcome.text, "True")

    def test_async_for_with_and_comprehension(self):
        outcome = self.run_cell(
            "import contextlib\nasync def g():\n    for i in range(3): yield i\n"
            "@contextlib.asynccontextmanager\nasync def c(): yield 5\n"
            "async with c() as five: pass\nasync for last in g(): pass\n(five, last, [i async for i in g()])")
        self.assertEqual(outcome.text, "(5, 2, [0, 1, 2])")

    def test_each_run_gets_a_new_loop_and_plain_runs_none(self):
        self.run_cell("import asyncio\na = asyncio.get_running_loop()\nawait asyncio.sleep(0)")
        outcome = self.run_cell("b = asyncio.get_running_loop()\nawait asyncio.sleep(0)\n(a is b, a.is_closed())")
        self.assertEqual(outcome.text, "(False, True)")
        self.assertFalse(self.run_cell("1").awaited)
        self.assertEqual(self.run_cell("asyncio.run(asyncio.sleep(0, 'still works'))").text, "'still works'")

    def test_left_tasks_are_cancelled(self):
        outcome = self.check_ok(self.run_cell(
            "import asyncio\nasync def f():\n    try: await asyncio.sleep(60)\n    finally: print('cleaned')\n"
            "t = asyncio.create_task(f())\nawait asyncio.sleep(0)"))
        self.assertEqual(outcome.stdout, "cleaned\n")

    def test_errors_show_user_frames_only(self):
        outcome = self.run_cell("import asyncio\nasync def f(): 1 / 0\nawait asyncio.sleep(0)\nawait f()")
        self.assertEqual(outcome.error["traceback"], [
            "Traceback (most recent call last):", '  File "<cell 1>", line 4, in <module>', "    await f()",
            '  File "<cell 1>", line 2, in f', "    async def f(): 1 / 0", "                   ~~^~~",
            "ZeroDivisionError: division by zero"])

    def test_idle_loop_is_cancelled_and_shows_where_it_waited(self):
        self.worker.start("import asyncio, os\n"
                          "try:\n"
                          "    asyncio.get_running_loop().call_soon(os.write, READY_FD, b'x')\n"
                          "    await asyncio.sleep(60)\n"
                          "finally:\n"
                          "    print('cleaned')", run_id="idle")
        self.worker.wait_until_ready()
        self.worker.wait_until_asleep()
        self.worker.cancel("idle")
        outcome = self.worker.outcome()
        self.assertEqual((outcome.verdict, outcome.stdout), ("cancelled", "cleaned\n"))
        self.assertIn("    await asyncio.sleep(60)", outcome.traceback)
        self.assertNotIn("_capsule", outcome.traceback)

    def test_busy_coroutine_is_interrupted_where_it_is(self):
        self.worker.start("import asyncio\nawait asyncio.sleep(0)\n" + READY + "while True: pass", run_id="busy")
        self.worker.wait_until_ready()
        self.worker.cancel("busy")
        outcome = self.worker.outcome()
        self.assertEqual((outcome.verdict, outcome.stderr), ("cancelled", ""))
        self.assertIn('File "<cell 1>", line ', outcome.traceback)

    def test_thread_of_the_loop_does_not_hold_up_a_cancel(self):
        self.worker.start("import asyncio, threading\nevent = threading.Event()\n"
                          "def f():\n    import os; os.write(READY_FD, b'x'); event.wait()\n"
                          "await asyncio.to_thread(f)", run_id="thread")
        self.worker.wait_until_ready()
        self.worker.cancel("thread")
        outcome = self.worker.outcome()
        self.assertEqual((outcome.verdict, outcome.left_threads), ("cancelled", 1))
        self.run_cell("event.set()")

    def test_exit_inside_a_coroutine_is_an_exit(self):
        outcome = self.run_cell("import asyncio\nawait asyncio.sleep(0)\nraise SystemExit(4)")
        self.assertEqual((outcome.verdict, outcome.exit_status, outcome.stderr), ("exit", 4, ""))

    def test_cancelled_error_of_the_program_is_an_exception(self):
        outcome = self.run_cell("import asyncio\nasyncio.current_task().cancel()\nawait asyncio.sleep(1)")
        self.assertEqual((outcome.verdict, outcome.error["name"]), ("exception", "CancelledError"))


if __name__ == "__main__":
    unittest.main()
