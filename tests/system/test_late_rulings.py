"""What admission says of a run that it let into the queue: that it is refused after all, or gets less than it was given."""
import json
import pathlib
import signal
import unittest

from processes import wait_for
from support import SMALL, finish, last_event, read_event
from test_metrics import MetricsCase

ONE = SMALL.replace("warm = 2", "warm = 1\nmax = 1\nacquire_timeout_s = 30", 1) + "[sandbox]\ncgroup = \"off\"\n"
LIMITS = "[run]\ntimeout_s = {0}\nmax_timeout_s = {0}\ngrace_s = 0.2\n"


class LateRulingsTest(MetricsCase):
    config = ONE + LIMITS.format(100)

    def hold_the_only_worker(self):
        child = self.manager.spawn("run", "--events", "-c", "print(1, flush=True); input()")
        read_event(child, "output")
        return child

    def queue(self, *arguments):
        child = self.manager.spawn("run", "--events", *arguments)
        wait_for(lambda: self.manager.info("queue")["queue"]["depth"] == 1, 20, "a run that waits")
        return child

    def decisions(self, run_id):
        directory = self.manager.info("manager")["manager"]["audit"]["directory"]
        lines = pathlib.Path(directory, "decisions.jsonl").read_text().splitlines()
        return [(r["outcome"], r.get("reason")) for r in map(json.loads, lines) if r.get("object") == f"run:{run_id}"]

    def reload(self, config):
        self.manager.config_file.write_text(config)
        reloads = self.manager.log().count("reload:")
        self.manager.signal(signal.SIGHUP)
        wait_for(lambda: self.manager.log().count("reload:") > reloads, 10, "the reload")

    def test_a_run_whose_limit_was_lowered_while_it_waited_is_tightened(self):
        before = self.value("capsule_admission_decisions_total", decision="tightened")
        holder = self.hold_the_only_worker()
        waiting = self.queue("--timeout", "90", "--memory", "200M", "-c", "while True: pass")
        self.reload(ONE + LIMITS.format(0.5))
        self.addCleanup(self.reload, self.config)
        finish(holder, feed=b"\n")
        event = last_event(waiting)
        self.assertEqual((event["verdict"], event["evidence"]["limit"]), ("timeout", "wall_ms=500"), event)
        self.assertEqual(self.value("capsule_admission_decisions_total", decision="tightened"), before + 1)
        wait_for(lambda: len(self.decisions(event["run_id"])) == 2, 10, "both decisions")
        self.assertEqual(self.decisions(event["run_id"]), [("allowed", None), ("tightened", "limit")])

    def assert_refused_late(self, event, reason, before):
        self.assertEqual((event["verdict"], event["exit_status"]), ("rejected", 125), event)
        wait_for(lambda: len(self.decisions(event["run_id"])) == 2, 10, "both decisions")
        self.assertEqual(self.decisions(event["run_id"]), [("allowed", None), ("refused", reason)])
        self.assertEqual(self.value("capsule_queue_rejected_total", reason=reason), before[0] + 1)
        self.assertEqual(self.value("capsule_admission_decisions_total", decision="refused"), before[1] + 1)

    def refusals(self, reason):
        return (self.value("capsule_queue_rejected_total", reason=reason),
                self.value("capsule_admission_decisions_total", decision="refused"))

    def test_a_run_that_waited_too_long_is_refused_after_all(self):
        before = self.refusals("acquire_timeout")
        holder = self.hold_the_only_worker()
        self.reload(self.config.replace("acquire_timeout_s = 30", "acquire_timeout_s = 0.5"))
        self.addCleanup(self.reload, self.config)
        self.assert_refused_late(last_event(self.manager.spawn("run", "--events", "-c", "1")), "acquire_timeout", before)
        finish(holder, feed=b"\n")

    def test_a_run_that_requires_what_its_worker_has_not_is_refused_after_all(self):
        before = self.refusals("layer_missing")
        event = last_event(self.manager.spawn("run", "--events", "--require", "cgroup", "-c", "1"))
        self.assert_refused_late(event, "layer_missing", before)


if __name__ == "__main__":
    unittest.main()
