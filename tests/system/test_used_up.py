"""What one run of a session used up or left behind costs the next run nothing, and its state neither."""
import time
import unittest

from branches import BranchClient
from support import SMALL, ManagerCase

ALL_FILES = ("import os\nkept = []\ntry:\n  while True: kept.append(os.open('/dev/null', os.O_RDONLY))\n"
             "except OSError as error: print(error.errno)")
# Each child waits; the last fork is refused.
ALL_PROCESSES = ("import os, time\nchildren = []\ntry:\n  while True:\n    pid = os.fork()\n"
                 "    if pid == 0: time.sleep(1000); os._exit(0)\n    children.append(pid)\n"
                 "except OSError as error: print(error.errno)")
# The last one that fits is small, and nothing is left then: not for the traceback either.
ALL_MEMORY = "kept = []\nwhile True: kept.append({'id': len(kept)})"
MIB = 1 << 20
RAISES = ("import signal\ndef tick(*_): raise ValueError('tick')\nsignal.signal(signal.SIGALRM, tick)\n"
          "signal.setitimer(signal.ITIMER_REAL, 0.05)")


class UsedUpCase(ManagerCase):
    config = SMALL + "[run]\ngrace_s = 0.2\n[client]\nmax_crashes_per_minute_per_uid = 0\n"

    def setUp(self):
        super().setUp()
        self.client = BranchClient(self.manager.socket)
        self.addCleanup(self.client.close)

    def new(self, rollback, **fields):
        session = self.client.new(rollback=rollback, **fields)
        self.addCleanup(self.client.session, "rm", session)
        return session

    def assert_goes_on(self, session, expression, value):
        outcome = self.client.run(session, expression)
        self.assertEqual((outcome.verdict, outcome.state, outcome.result), ("ok", "kept", value), outcome)


    def fill_memory(self, session):
        outcome = self.client.run(session, ALL_MEMORY)
        self.assertEqual((outcome.verdict, outcome.state), ("exception", "kept"), outcome)
        self.assertEqual(outcome.error["name"], "MemoryError")
        self.assertIn("kept.append", "".join(outcome.error["traceback"]))

    def assert_memory_error_costs_the_cell(self, times, **fields):
        session = self.new(**fields)
        self.client.run(session, "x = 1")
        for _ in range(times):
            self.fill_memory(session)
            self.assert_goes_on(session, "x, len(kept) > 10_000", "(1, True)")
            self.assert_goes_on(session, "sorted([3, 1, 2]), f'{x:>4}'", "([1, 2, 3], '   1')")
        self.assert_goes_on(session, "kept.clear(); len(bytearray(40 << 20))", str(40 * MIB))


class UsedUp(UsedUpCase):
    def test_all_open_files_in_use(self):
        for rollback in ("off", "always"):
            with self.subTest(rollback):
                session = self.new(rollback)
                self.assertEqual(self.client.run(session, ALL_FILES).stdout, "24\n")
                self.assert_goes_on(session, "len(kept) > 100", "True")
                self.assertEqual(self.client.run(session, "os.close(kept.pop())\n" + ALL_FILES).stdout, "24\n")
                self.assert_goes_on(session, "print('still'); [os.close(fd) for fd in kept]; kept.clear(); len(kept)", "0")

    def test_a_copy_of_a_session_that_has_all_its_files_open_can_be_woken(self):
        session = self.new("always")
        self.client.run(session, ALL_FILES)
        self.client.run(session, "x = 2")
        outcome = self.client.run(session, "os.kill(os.getpid(), 9)")
        self.assertEqual((outcome.verdict, outcome.state), ("crashed", "rolled_back"), outcome)
        self.assertEqual(outcome.rollback.get("lost_runs", []), [], outcome)
        self.assert_goes_on(session, "x, len(kept) > 100", "(2, True)")

    def test_all_memory_of_a_session_in_use(self):
        self.assert_memory_error_costs_the_cell(3, rollback="off", limits={"memory_bytes": 160 * MIB})

    def test_all_memory_of_a_session_that_has_snapshots_in_use(self):  # they hold what was in use before, too
        self.assert_memory_error_costs_the_cell(1, rollback="always", limits={"memory_bytes": 240 * MIB})

    def test_all_processes_in_use(self):
        session = self.new("always")
        self.assertEqual(self.client.run(session, ALL_PROCESSES).stdout, "11\n")
        full = self.client.run(session, "len(children) > 10")
        self.assertEqual((full.verdict, full.state, full.result), ("ok", "kept", "True"), full)
        self.assertIn("no room for a copy", full.fallback["refused"])
        self.client.run(session, "for pid in children: os.kill(pid, 9)\nfor pid in children: os.waitpid(pid, 0)")
        self.assertNotIn("refused", self.client.run(session, "1").fallback)

    def test_all_processes_in_use_while_it_is_idle(self):
        session = self.new("idle")
        self.client.run(session, ALL_PROCESSES)
        time.sleep(0.3)  # longer than it takes to be idle: a copy is tried
        self.assert_goes_on(session, "len(children) > 10", "True")

    def test_a_signal_handler_that_raises_between_two_runs(self):
        for rollback in ("off", "idle", "always"):
            with self.subTest(rollback):
                session = self.new(rollback)
                self.client.run(session, RAISES + "\nx = 1")
                time.sleep(0.2)  # the timer goes off
                self.assert_goes_on(session, "x", "1")

    def test_a_snapshot_that_a_signal_is_due_in_can_be_woken(self):
        session = self.new("always")
        self.client.run(session, RAISES + "\nx = 1")
        time.sleep(0.2)  # the timer goes off, and the handler is due in the copy that is made before the next run
        outcome = self.client.run(session, "os = __import__('os'); os._exit(3)")
        self.assertEqual((outcome.verdict, outcome.state), ("exit", "rolled_back"), outcome)
        self.assert_goes_on(session, "x", "1")

    def test_a_worker_that_cannot_take_a_run_is_not_said_to_have_lied(self):
        session = self.new("off")
        self.client.run(session, "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))")
        outcome = self.client.run(session, "1")
        self.assertEqual((outcome.verdict, outcome.exit_status), ("worker_lost", 137), outcome)
        self.assertIn("could not take the run", outcome.evidence["detail"])
        self.assertTrue(outcome.evidence["retry"])
        self.assertEqual(self.client.run(session, "2").result, "2")


class MemoryOfTheProfile(UsedUpCase):
    config = UsedUpCase.config + f"[limits]\nmemory_bytes = {160 * MIB}\n"

    def test_all_memory_of_the_profile_in_use(self):
        self.assert_memory_error_costs_the_cell(3, rollback="off")


if __name__ == "__main__":
    unittest.main()
