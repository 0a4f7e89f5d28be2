"""Code that holds its own event loop is noticed."""
import unittest

from support import WorkerTest

CLOCK = """
import asyncio, sys
clock = [0.0]
sys.modules["_capsule_loop"].monotonic = lambda: clock[0]
"""


class HeldLoop(WorkerTest):
    def blocking_calls(self, code):
        self.check_ok(self.run_cell(CLOCK))
        return self.check_ok(self.run_cell(code)).blocking_calls

    def test_each_long_time_between_two_waits_counts_once(self):
        code = "for s in (0.05, 5, 0.09, 3600):\n    clock[0] += s\n    await asyncio.sleep(0)"
        self.assertEqual(self.blocking_calls(code), 2)

    def test_the_last_step_of_a_program_counts_too(self):
        self.assertEqual(self.blocking_calls("await asyncio.sleep(0)\nclock[0] += 1"), 1)

    def test_time_spent_waiting_does_not_count(self):
        code = "loop = asyncio.get_running_loop()\nclock[0] += 0.01\nawait asyncio.sleep(0.01)\nclock[0] += 0.01"
        self.assertEqual(self.blocking_calls(code), 0)

    def test_a_task_beside_the_program_counts(self):
        code = ("async def other():\n    clock[0] += 1\ntask = asyncio.ensure_future(other())\n"
                "await asyncio.sleep(0)\nawait task")
        self.assertEqual(self.blocking_calls(code), 1)

    def test_a_run_without_await_has_none(self):
        self.assertEqual(self.blocking_calls("clock[0] += 100"), 0)

    def test_a_real_blocking_call_is_noticed(self):
        outcome = self.check_ok(self.run_cell("import asyncio, time\nawait asyncio.sleep(0)\ntime.sleep(0.2)"))
        self.assertGreaterEqual(outcome.blocking_calls, 1)

    def test_a_loop_of_another_make_is_left_alone(self):
        self.check_ok(self.run_cell("import sys\nsys.modules['_capsule_loop'].watch(object(), None)"))



if __name__ == "__main__":
    unittest.main()
