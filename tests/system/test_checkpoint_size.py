"""A namespace with an array of 2 GiB: saved, or refused with the limit that says so; and what a snapshot of it costs."""
import sys
import unittest

from branches import BranchClient, Refused
from support import SMALL, ManagerCase

GIB = 1 << 30
ARRAY = f"import numpy\na = numpy.zeros({2 * GIB // 8}); a[0], a[-1] = 3, 4; small = [1]"
NEEDED = 7 * GIB  # the array twice, and room for everybody else


def available_bytes():
    with open("/proc/meminfo") as text:
        return next(int(line.split()[1]) * 1024 for line in text if line.startswith("MemAvailable"))


class SizeCase(ManagerCase):
    def setUp(self):
        super().setUp()
        if available_bytes() < NEEDED:
            print(f"skipped: {available_bytes() >> 20} MiB of memory are available", file=sys.stderr)
            self.skipTest("needs 7 GiB of memory")
        self.client = BranchClient(self.manager.socket, 120)
        self.addCleanup(self.client.close)

    def new(self, **fields):
        session = self.client.new(**fields)
        self.addCleanup(self.client.session, "rm", session)
        return session

    def with_array(self, **fields):
        session = self.new(**fields)
        outcome = self.client.run(session, ARRAY)
        self.assertEqual(outcome.verdict, "ok", outcome)
        return session

    def save(self, session, name):
        saved = self.client.session("checkpoint", session, checkpoint=name, durable=True)
        self.addCleanup(self.client.session, "checkpoint_rm", checkpoint=name)
        return saved


class Roomy(SizeCase):
    config = (SMALL + f"[profiles.base.limits]\nmemory_bytes = {6 * GIB}\n"
              f"[profiles.small.limits]\nmemory_bytes = {GIB}\n[profiles.small.pool]\nwarm = 0\ncapsules = 0\n")

    def test_it_is_saved_and_restored(self):
        saved = self.save(self.with_array(), "large")
        self.assertEqual((saved["names"], saved["names_left_out"]), (3, 0), saved)
        self.assertGreater(saved["payload_bytes"], 2 * GIB)
        copy = self.new(checkpoint="large")
        self.assertEqual(self.client.run(copy, "a[0], a[-1], a.nbytes, small").result, f"(3.0, 4.0, {2 * GIB}, [1])")

    def test_where_memory_is_less_than_it_needs_the_restore_says_so(self):
        self.save(self.with_array(), "too-large")
        answer = self.client.session("new", "", checkpoint="too-large", profile="small")
        self.addCleanup(self.client.session, "rm", answer["session"])
        failed = {row["name"]: row["reason"] for row in answer["restored"]["failed"]}
        self.assertIn("MemoryError", failed.get("a", ""), answer)
        self.assertEqual(self.client.run(answer["session"], "small").result, "[1]")

    def test_a_snapshot_of_it_shares_its_memory_and_a_crash_costs_one_cell(self):
        session = self.with_array(rollback="always")
        self.client.run(session, "a[:] = 1")
        crash = self.client.run(session, "a[:1000] = 2; import os; os.abort()")
        self.assertEqual((crash.verdict, crash.state), ("crashed", "rolled_back"), crash)
        self.assertEqual(self.client.run(session, "a.sum() == a.size").result, "True")


class Tight(SizeCase):
    config = SMALL + f"[profiles.base.limits]\nmemory_bytes = {3 * GIB}\n[checkpoints]\nmax_bytes = {GIB}\n"

    def test_what_is_larger_than_a_checkpoint_may_be_is_left_out_by_name(self):
        saved = self.save(self.with_array(), "small")
        self.assertEqual([row["name"] for row in saved["left_out"]], ["a"], saved)
        self.assertRegex(saved["left_out"][0]["reason"], "fit|room|max_bytes")
        self.assertEqual(self.client.run(self.new(checkpoint="small"), "small").result, "[1]")

    def test_writing_all_of_it_beside_a_snapshot_of_it_is_out_of_memory_and_is_undone(self):
        session = self.with_array(rollback="always")
        self.client.run(session, "a[:] = 1")
        outcome = self.client.run(session, "a += 1")
        self.assertEqual((outcome.verdict, outcome.state), ("out_of_memory", "rolled_back"), outcome)
        self.assertEqual(self.client.run(session, "a[0], a[-1]").result, "(1.0, 1.0)")


class SmallQuota(SizeCase):
    config = SMALL + f"[profiles.base.limits]\nmemory_bytes = {3 * GIB}\n[checkpoints]\nquota_bytes = 16384\n"

    def test_a_quota_that_is_too_small_refuses_it_and_nothing_is_left(self):
        session = self.with_array()
        with self.assertRaisesRegex(Refused, "remove"):
            self.client.session("checkpoint", session, checkpoint="never", durable=True)
        self.assertEqual(self.client.session("checkpoint_ls")["checkpoints"], [])
        self.assertEqual(self.client.run(session, "a[0], small").result, "(3.0, [1])")


if __name__ == "__main__":
    unittest.main()
