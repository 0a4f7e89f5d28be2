"""Session workers that are replaced between runs because of their age or size, and stocks that shrink when idle."""
import unittest

from processes import wait_for
from support import SMALL, ManagerCase


def with_pool(knobs):
    return SMALL.replace("[pool]\n", "[pool]\n" + knobs, 1)


class OldSessionTest(ManagerCase):
    config = with_pool("session_max_age_s = 0.5\n")

    def test_a_worker_that_is_too_old_is_replaced_after_its_run(self):
        self.assertEqual(self.manager.capsule("session", "new", "old").status, 0)
        self.addCleanup(self.manager.capsule, "session", "rm", "old")
        document = self.manager.exec("old", "x = 1\nimport time\ntime.sleep(0.7)")
        self.assert_verdict(document, "ok", 0)
        self.assertEqual(document["evidence"]["session_state"], "fresh")
        document = self.manager.exec("old", "'x' in globals()")
        self.assertEqual(document["result"]["text/plain"], "False")
        self.assertEqual(self.manager.pool()["recycles"]["age"], 1)


class LargeSessionTest(ManagerCase):
    config = with_pool(f"session_max_rss_bytes = {200 << 20}\n")

    def test_a_worker_that_is_too_large_is_replaced_after_its_run(self):
        self.assertEqual(self.manager.capsule("session", "new", "large").status, 0)
        self.addCleanup(self.manager.capsule, "session", "rm", "large")
        self.assertEqual(self.manager.exec("large", "kept = 1")["evidence"]["session_state"], "kept")
        document = self.manager.exec("large", "heap = b'x' * (250 << 20)")
        self.assert_verdict(document, "ok", 0)
        self.assertEqual(document["evidence"]["session_state"], "fresh")
        self.assertEqual(self.manager.exec("large", "'heap' in globals()")["result"]["text/plain"], "False")
        self.assertEqual(self.manager.pool()["recycles"]["memory"], 1)


class IdlePoolTest(ManagerCase):
    config = with_pool("idle_timeout_s = 1\nmin = 0\n")

    def test_the_stock_shrinks_when_nobody_acquires_and_fills_again_when_somebody_does(self):
        wait_for(lambda: self.manager.pool()["workers"]["idle"] == 0, 15, "the stock is empty")
        self.assertGreater(self.manager.pool()["recycles"]["idle"], 0)
        self.assert_next_run_works()
        wait_for(lambda: self.manager.pool()["workers"]["idle"] > 0, what="the stock is filled again")


if __name__ == "__main__":
    unittest.main()
