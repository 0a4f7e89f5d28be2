"""capsule.metric(): what is sent, when, and what is refused before."""
import unittest

from support import WorkerTest

SLOW = "import capsule, sys\nsys.modules['_capsule_metrics'].monotonic = lambda: 1000.0\n"  # no time goes by


class Metric(WorkerTest):
    def metrics(self, code, **options):
        outcome = self.check_ok(self.run_cell("import capsule\n" + code, **options))
        return [item[1:] for item in outcome.sent if item[0] == "metric"]

    def test_a_counter_with_labels(self):
        sent = self.metrics('capsule.metric("llm_tokens", 17, model="m", user="u")', run_id="mine")
        self.assertEqual(sent, [["mine", "llm_tokens", "counter", 17.0, [["model", "m"], ["user", "u"]]]])

    def test_a_counter_grows_by_one_unless_told(self):
        self.assertEqual(self.metrics('capsule.metric("steps_total")')[0][1:4], ["steps", "counter", 1.0])

    def test_a_gauge_may_fall(self):
        sent = self.metrics('capsule.metric("loss", 2, kind="gauge"); capsule.metric("loss", -1, kind="gauge")')
        self.assertEqual([item[2:4] for item in sent], [["gauge", 2.0], ["gauge", -1.0]])

    def test_what_can_never_be_taken_is_said_at_once(self):
        for call in ('"Tokens"', '"9a"', '""', '"a-b"', '"__a"', '"a_count"', '"a" * 65', '"a", float("nan")', '"a", -1',
                     '"a", float("inf")', '"a", 1e304', '"a", -1e304, kind="gauge"', '"a", kind="histogram"',
                     '"a", 1, le="x"', '"a", 1, x=""', '"a", 1, x="a" * 65',
                     '"a", 1, x="\\n"', '"a", 1, **{"a-b": 1}', '"a", a=1, b=1, c=1, d=1, e=1', '"a_total", kind="gauge"'):
            outcome = self.run_cell(f"import capsule\ncapsule.metric({call})")
            self.assertEqual((outcome.verdict, (outcome.error or {}).get("name")), ("exception", "ValueError"), call)
            self.assertEqual(outcome.sent, [], call)
        self.assertEqual(self.run_cell("capsule.metric(5)").error["name"], "TypeError")

    def test_in_a_loop_what_is_too_much_is_added_up_and_nothing_is_lost(self):
        self.run_cell(SLOW)
        sent = self.metrics("for i in range(100_000): capsule.metric('rounds', 1, parity=i % 2)")
        self.assertLess(len(sent), 300)
        self.assertEqual(sum(item[3] for item in sent), 100_000)

    def test_a_sum_of_large_values_stays_what_the_link_takes(self):
        self.run_cell(SLOW)
        sent = self.metrics("for i in range(1000): capsule.metric('x', 1e290)")
        self.assertLessEqual(max(item[3] for item in sent), 1e290)

    def test_the_end_of_a_run_sends_what_waits_before_its_result(self):
        self.run_cell(SLOW + "for i in range(1000): capsule.metric('first')")
        outcome = self.check_ok(self.run_cell("capsule.metric('second'); 1"))
        self.assertEqual([item[0] for item in outcome.sent], ["metric", "result"])

    def test_a_run_that_raises_sends_what_waits(self):
        self.run_cell(SLOW + "for i in range(1000): capsule.metric('first')")
        outcome = self.run_cell("capsule.metric('second'); 1 / 0")
        self.assertEqual([item[2] for item in outcome.sent], ["second"])

    def test_a_forked_child_cannot_send_and_the_parent_can(self):
        code = """import os
child = os.fork()
if child == 0:
    try:
        capsule.metric("a")
    except RuntimeError:
        os._exit(7)
    os._exit(0)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
capsule.metric("a", status)"""
        self.assertEqual([item[3] for item in self.metrics(code)], [7.0])

    def test_threads_count_together(self):
        code = """import threading
def count():
    for _ in range(1000): capsule.metric("a")
threads = [threading.Thread(target=count) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()"""
        self.assertEqual(sum(item[3] for item in self.metrics(code)), 4000)


if __name__ == "__main__":
    unittest.main()
