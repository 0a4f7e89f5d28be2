"""Heartbeats go on whatever Python does, and their absence is noticed."""
import os
import signal
import unittest

from processes import wait_for
from support import SMALL, ManagerCase, finish, last_event, program, read_event

CONFIG = SMALL + """
[worker]
heartbeat_interval_s = 0.2
[run]
grace_s = 0.2
"""


class HeartbeatTest(ManagerCase):
    config = CONFIG

    def start(self, *arguments):
        child = self.manager.spawn("run", "--events", *arguments)
        run_id = read_event(child, "output")["run_id"]
        return child, run_id

    def worker_of(self, run_id):
        return next((w for w in self.manager.info("workers")["workers"] if w["run_id"] == run_id), None)

    def test_they_go_on_while_the_gil_is_held(self):
        child, run_id = self.start(program("gil_holding_c_loop"))
        first = self.worker_of(run_id)["heartbeats"]
        later = wait_for(lambda: (w := self.worker_of(run_id))["heartbeats"] >= first + 5 and w, 10, "five heartbeats")
        self.assertEqual(later["health"], "ok")
        self.assertGreater(later["cpu_percent"], 10)
        self.assertGreater(later["rss_bytes"], 1 << 20)
        self.assertGreaterEqual(later["threads"], 1)
        self.manager.capsule("cancel", run_id)
        self.assertEqual(last_event(child)["verdict"], "cancelled")

    def test_a_stopped_worker_is_suspect_then_lost(self):
        child, run_id = self.start("-c", "print('up', flush=True); input()")
        os.kill(self.worker_of(run_id)["pid"], signal.SIGSTOP)
        wait_for(lambda: (w := self.worker_of(run_id)) is None or w["health"] != "ok", 5, "the worker is suspect")
        event = last_event(child)
        self.assertEqual((event["verdict"], event["exit_status"]), ("worker_lost", 137), event)
        self.assertTrue(event["evidence"]["retry"])
        self.assert_next_run_works()

    def test_a_worker_that_comes_back_in_time_is_not_lost(self):
        child, run_id = self.start("-c", "print('up', flush=True); print(input())")
        pid = self.worker_of(run_id)["pid"]
        os.kill(pid, signal.SIGSTOP)
        os.kill(pid, signal.SIGCONT)
        done = finish(child, feed=b"fine\n")
        self.assertEqual(done.status, 0, done)

    def test_an_idle_worker_that_stops_is_replaced(self):
        self.manager.wait_settled()
        worker = next(w for w in self.manager.info("workers")["workers"] if w["state"] == "idle")
        os.kill(worker["pid"], signal.SIGSTOP)
        wait_for(lambda: worker["id"] not in [w["id"] for w in self.manager.info("workers")["workers"]], 10,
                 "the stopped worker is gone")
        self.manager.wait_settled()


if __name__ == "__main__":
    unittest.main()
