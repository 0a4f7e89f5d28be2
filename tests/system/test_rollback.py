"""Snapshots, rollback and undo: a crash costs one cell, not the session.

CAPSULE_HOSTILE_CELLS is how many cells in a row end the worker of one session (`make branches`: 10,000).
"""
import itertools
import os
import resource
import signal
import sys
import unittest

from branches import BranchClient, Refused
from processes import wait_for
from support import SMALL, ManagerCase

# Ends of a worker, by the verdict they must have.
ENDS = {
    "segfault": ("import ctypes; ctypes.string_at(0)", "crashed"),
    "kill": ("import os; os.kill(os.getpid(), 9)", "crashed"),
    "abort": ("import os; os.abort()", "crashed"),
    "_exit": ("import os; os._exit(3)", "exit"),
    "fork and _exit": ("import os\nif os.fork() == 0:\n  os.setsid()\n  while True: pass\nos._exit(3)", "exit"),
    "deep recursion": ("import sys; sys.setrecursionlimit(1 << 30)\nclass A:\n  def __getattr__(self, n): return getattr(self, n)\n"
                       "A().x", "crashed"),
    "closed link": ("import os; os.closerange(3, 256)\nimport time; time.sleep(60)", "worker_lost"),
    "stuck": ("import time\nwhile True:\n  try:\n    time.sleep(60)\n  except BaseException: pass", "timeout"),
    "out of memory": ("import mmap\nm = mmap.mmap(-1, 3 << 30)\nfor i in range(0, 3 << 30, 4096): m[i] = 1", "out_of_memory"),
}


QUICK_ENDS = ("segfault", "kill", "abort", "_exit", "fork and _exit", "deep recursion")
HOSTILE_CELLS = int(os.environ.get("CAPSULE_HOSTILE_CELLS", "120"))
# The three that take a second or two come once in every hundred or so.
HOSTILE_ENDS = [*QUICK_ENDS * 16, *ENDS]


class RollbackCase(ManagerCase):
    config = SMALL + "[run]\ngrace_s = 0.2\n[client]\nmax_crashes_per_minute_per_uid = 0\n"

    def setUp(self):
        super().setUp()
        self.client = BranchClient(self.manager.socket)
        self.addCleanup(self.client.close)

    def new(self, rollback="always", **fields):
        session = self.client.new(rollback=rollback, **fields)
        self.addCleanup(self.client.session, "rm", session)
        return session

    def value(self, session, expression):
        outcome = self.client.run(session, expression)
        self.assertEqual(outcome.verdict, "ok", outcome)
        return outcome.result

    def wait_covered(self, session):
        wait_for(lambda: self.client.info(session)["runs_at_risk"] == 0, 10, "the idle session has a snapshot")


class Rollback(RollbackCase):
    def test_whatever_ends_the_worker_the_session_goes_on_from_before_the_run(self):
        session = self.new()
        self.client.run(session, "values = [1]\ndef count():\n  n = 0\n  while True:\n    n += 1\n    yield n\nticks = count()")
        expected = 0
        for name, (code, verdict) in ENDS.items():
            with self.subTest(name):
                expected += 1
                self.assertEqual(self.value(session, "next(ticks)"), str(expected))
                outcome = self.client.run(session, "values.append('lost')\n" + code, timeout_ms=1500 if name == "stuck" else 30000)
                self.assertEqual(outcome.verdict, verdict, outcome)
                self.assertEqual(outcome.state, "rolled_back", outcome)
                self.assertTrue(outcome.rollback["snapshot"].startswith("snapshot-"), outcome)
                self.assertGreater(outcome.rollback["took_us"], 0)
                self.assertEqual(outcome.rollback.get("lost_runs", []), [], outcome)
                self.assertEqual(self.value(session, "values"), "[1]")

    def test_a_link_that_the_program_closes_is_missed_at_once_although_snapshots_had_it_too(self):
        for rollback in ("always", "idle"):
            session = self.new(rollback)
            self.client.run(session, "x = 1")
            self.wait_covered(session)
            outcome = self.client.run(session, ENDS["closed link"][0])
            self.assertEqual((outcome.verdict, outcome.state), ("worker_lost", "rolled_back"), outcome)
            self.assertIn("link closed", outcome.evidence["detail"])  # and not: no heartbeat for too long
            self.assertEqual(self.value(session, "x"), "1")

    def test_a_program_that_leaves_its_worker_no_open_files_hears_why_it_goes_back(self):
        for limit in (0, 1, 3):
            session = self.new("always")
            self.client.run(session, "import resource; x = 1")
            self.client.run(session, f"x = 2; resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit}))")
            outcome = self.client.run(session, "x")
            self.assertEqual(outcome.state, "rolled_back", outcome)
            self.assertRegex(outcome.evidence["detail"], "closed its link|link closed|no memory or open files")
            self.assertEqual(self.value(session, "x"), "1")

    def test_memory_cannot_be_kept_from_the_copies(self):
        session = self.new()
        self.client.run(session, "import ctypes, os\nstate = {'n': 42}\nlibc = ctypes.CDLL(None, use_errno=True)")
        for advice in ("10", "18", "10 | 1 << 32"):  # MADV_DONTFORK, MADV_WIPEONFORK
            code = f"libc.syscall(28, ctypes.c_long(id(state) & ~4095), ctypes.c_long(4096), ctypes.c_long({advice})), ctypes.get_errno()"
            self.assertEqual(self.value(session, code), "(-1, 1)", advice)
        outcome = self.client.run(session, "os._exit(3)")
        self.assertEqual(outcome.state, "rolled_back", outcome)
        self.assertEqual(self.value(session, "state['n']"), "42")

    def test_hostile_cells_in_a_row_lose_nothing(self):
        session = self.new("idle", limits={"memory_bytes": 256 << 20})
        self.client.run(session, "import os, ctypes, signal, sys\ntotal, table = 0, {i: str(i) for i in range(1000)}\n"
                                 "def count():\n  n = 0\n  while True:\n    n += 1\n    yield n\nticks = count()")
        self.wait_covered(session)
        for number, name in zip(range(HOSTILE_CELLS), itertools.cycle(HOSTILE_ENDS)):
            code, verdict = ENDS[name]
            outcome = self.client.run(session, "total = -1; table.clear(); next(ticks)\n" + code,
                                      timeout_ms=1500 if name == "stuck" else 30000)
            self.assertEqual((outcome.verdict, outcome.state), (verdict, "rolled_back"), f"cell {number}: {outcome}")
            self.assertEqual(outcome.rollback.get("lost_runs", []), [], f"cell {number}: {outcome}")
        self.assertEqual(self.value(session, "total, len(table), next(ticks)"), "(0, 1000, 1)")
        print(f"{HOSTILE_CELLS} hostile cells, {HOSTILE_CELLS} rollbacks, 0 lost", file=sys.stderr)

    def test_a_verdict_says_what_a_crash_of_the_next_run_would_cost(self):
        session = self.new("off")
        first = self.client.run(session, "x = 1")
        second = self.client.run(session, "x = 2")
        self.assertEqual(second.fallback, {"lost_runs": [first.run_id, second.run_id], "lost_run_count": 2})
        third = self.client.run(session, "x = 3", rollback="always")
        self.assertEqual(third.fallback["lost_runs"], [third.run_id])
        self.assertEqual(third.fallback["snapshot"], "snapshot-1")
        crash = self.client.run(session, "import os; os._exit(0)")
        self.assertEqual(crash.rollback["lost_runs"], [third.run_id], crash)
        self.assertEqual(self.value(session, "x"), "2")

    def test_an_idle_session_takes_a_snapshot_by_itself(self):
        session = self.new("idle")
        self.client.run(session, "x = 1")
        self.wait_covered(session)
        self.assertEqual(self.client.info(session)["fallback"], "snapshot-1")
        self.client.run(session, "x = 2; import os; os._exit(1)")
        self.assertEqual(self.value(session, "x"), "1")

    def test_without_snapshots_a_crash_leaves_a_fresh_namespace_and_says_what_is_lost(self):
        session = self.new("off")
        first = self.client.run(session, "x = 1")
        crash = self.client.run(session, "import os; os._exit(1)")
        self.assertEqual(crash.state, "fresh")
        self.assertEqual(crash.rollback["lost_runs"], [first.run_id])
        self.assertEqual(self.client.run(session, "x").verdict, "exception")

    def test_processes_of_the_dead_run_are_gone_and_the_workspace_stays(self):
        session = self.new()
        self.client.run(session, "open('kept.txt', 'w').write('1')\nimport subprocess, os")
        self.client.run(session, "p = subprocess.Popen(['/bin/sleep', '1000'], start_new_session=True)\n"
                                 "open('new.txt', 'w').write('2')\nos.kill(os.getpid(), 11)")
        names = self.value(session, "sorted(open(f'/proc/{p}/comm').read().strip() for p in os.listdir('/proc')"
                                    " if p.isdigit())")
        self.assertNotIn("sleep", names)
        self.assertEqual(self.value(session, "sorted(os.listdir('.'))"), "['kept.txt', 'new.txt']")

    def test_a_fork_bomb_that_daemonises_is_swept_and_no_snapshot_with_it(self):
        session = self.new()
        self.client.run(session, "x = 1")
        bomb = ("import os\nfor _ in range(8):\n  if os.fork() == 0:\n    os.setsid()\n    while True:\n"
                "      try:\n        if os.fork(): os._exit(0)\n      except OSError: pass\n"
                "import time; time.sleep(0.1); os.kill(os.getpid(), 9)")
        for _ in range(5):
            outcome = self.client.run(session, bomb)
            self.assertEqual((outcome.verdict, outcome.state), ("crashed", "rolled_back"), outcome)
            self.assertEqual(self.value(session, "x"), "1")
        self.assertEqual(self.value(session, "import os; len([p for p in os.listdir('/proc') if p.isdigit()])"), "1")

    def test_a_worker_that_dies_between_runs_costs_nothing_and_the_next_verdict_says_so(self):
        session = self.new("idle")
        self.client.run(session, "x = 1")
        self.wait_covered(session)
        self.client.run(session, "import threading, os, time\n"
                                 "def die():\n  time.sleep(0.3)\n  os._exit(5)\n"
                                 "threading.Thread(target=die).start()")
        pid = self.client.info(session)["worker_pid"]
        wait_for(lambda: self.client.info(session)["worker_pid"] not in (0, pid), 10, "the thread's end was noticed")
        outcome = self.client.run(session, "x")
        self.assertEqual(outcome.result, "1", outcome)
        self.assertEqual(outcome.state, "rolled_back")
        self.assertIn("before this run the session's worker", outcome.evidence["detail"])

    def test_two_losses_between_two_runs_are_told_together(self):
        session = self.new("off")
        first = self.client.run(session, "x = 1", rollback="always").run_id
        second = self.client.run(session, "x = 2", rollback="always").run_id
        third = self.client.run(session, "x = 3", rollback="off").run_id
        for _ in range(2):
            pid = self.client.info(session)["worker_pid"]
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: self.client.info(session)["worker_pid"] not in (0, pid), 10, "the next worker")
        outcome = self.client.run(session, "'x' in globals()")
        self.assertEqual(outcome.rollback["lost_runs"], [first, second, third], outcome)
        self.assertEqual(outcome.result, "False")

    def test_random_generators_are_where_they_were(self):
        session = self.new()
        self.client.run(session, "import random; random.seed(7); random.random()")
        expected = self.value(session, "random.random()")
        self.client.session("undo", session)
        self.assertEqual(self.value(session, "random.random()"), expected)
        self.client.run(session, "random.seed(1); import os; os._exit(1)")
        after = self.value(session, "random.random()")
        self.client.session("undo", session)
        self.assertEqual(self.value(session, "random.random()"), after)

    def test_what_a_program_is_told_of_itself_is_right_after_a_rollback(self):
        session = self.new()
        self.client.run(session, "import os, threading, sys")
        self.client.run(session, "os._exit(1)")
        code = ("assert threading.get_native_id() == threading.main_thread().native_id == os.getpid()\n"
                "assert int(open('/proc/self/oom_score_adj').read()) == 500\n"
                "assert os.getppid() == 1\nos.sched_setaffinity(os.getpid(), os.sched_getaffinity(0))\n"
                "import subprocess; print(subprocess.check_output(['/bin/echo', 'hi']))\n"
                "t = threading.Thread(target=lambda: print('thread')); t.start(); t.join()")
        outcome = self.client.run(session, code)
        self.assertEqual((outcome.verdict, outcome.stdout), ("ok", "b'hi\\n'\nthread\n"), outcome)


class FirstSession(RollbackCase):
    def test_a_crash_right_after_the_first_run_costs_only_itself(self):
        session = self.new()  # with the default, which waits for a pause
        self.client.run(session, "x = 20")
        crash = self.client.run(session, "import os; x = 0; os._exit(1)")
        self.assertEqual(crash.state, "rolled_back", crash)
        self.assertEqual(self.value(session, "x"), "20")

    def test_a_run_that_cannot_have_its_pipes_costs_the_session_nothing(self):
        session = self.new(rollback="off")
        self.client.run(session, "x = 1")
        pid = self.manager.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        highest = max(int(fd) for fd in os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        try:
            outcome = self.client.run(session, "x = 2")
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        self.assertGreater(highest, 3)
        self.assertEqual((outcome.verdict, outcome.state), ("internal_error", "kept"), outcome)
        self.assertIn("Too many open files", outcome.evidence["detail"])
        self.assertEqual(self.value(session, "x"), "1")


class NotCaptured(RollbackCase):
    def test_with_threads_no_snapshot_is_taken_and_the_verdict_says_why(self):
        session = self.new()
        self.client.run(session, "x = 1")
        self.client.run(session, "import threading\nstop = threading.Event()\n"
                                 "t = threading.Thread(target=stop.wait, name='poller', daemon=True); t.start()")
        outcome = self.client.run(session, "x = 2")
        self.assertEqual(outcome.verdict, "ok")
        self.assertIn("poller", outcome.fallback["refused"])
        self.assertEqual(outcome.fallback["lost_run_count"], 2)
        with self.assertRaisesRegex(Refused, "poller"):
            self.client.session("checkpoint", session, checkpoint="now")
        self.assertEqual(self.client.run(session, "stop.set(); t.join(); x = 3").verdict, "ok")
        self.assertNotIn("refused", self.client.run(session, "x").fallback)

    def test_a_crash_without_a_snapshot_says_why_there_was_none(self):
        session = self.new(rollback="always")
        self.client.run(session, "import threading\nstop = threading.Event()\n"
                                 "t = threading.Thread(target=stop.wait, name='poller', daemon=True); t.start()")
        crash = self.client.run(session, "import os; os.abort()")
        self.assertEqual(crash.state, "fresh", crash)
        self.assertRegex(crash.evidence["detail"], "no snapshot to go back to: .*poller")

    def test_memory_that_is_shared_with_others_is_listed_because_it_stays(self):
        session = self.new(rollback="always")
        self.client.run(session, "import mmap; shared = mmap.mmap(-1, 4096); shared[0] = 1; own = [1]")
        crash = self.client.run(session, "shared[0] = 2; own[0] = 2; import os; os.abort()")
        self.assertIn("memory shared", " ".join(crash.rollback["not_captured"]))
        self.assertEqual(self.value(session, "own[0], shared[0]"), "(1, 2)")
        self.client.run(session, "shared.close(); open('f', 'wb').write(bytes(9)); f = open('f', 'r+b'); m = mmap.mmap(f.fileno(), 9)")
        crash = self.client.run(session, "import os; os.abort()")
        self.assertEqual(crash.rollback.get("not_captured", []), [])

    def test_files_keep_their_position_and_what_cannot_be_copied_is_listed(self):
        session = self.new()
        self.client.run(session, "open('data', 'w').write('abcdef')\nf = open('data'); f.read(2)\n"
                                 "import socket, subprocess\na, b = socket.socketpair()\n"
                                 "p = subprocess.Popen(['/bin/cat'], stdin=subprocess.PIPE)\n"
                                 "while open(f'/proc/{p.pid}/comm').read() != 'cat\\n': pass  # a moment after exec")
        crash = self.client.run(session, "f.read(3); import os; os._exit(1)")
        self.assertEqual(self.value(session, "f.read(1), f.tell()"), "('c', 3)")
        listed = " ".join(crash.rollback["not_captured"])
        self.assertIn("socket", listed)
        self.assertIn("pipe", listed)
        self.assertIn("(cat)", listed)
        self.assertIn("Bad file descriptor", self.client.run(session, "a.send(b'x')").error["value"])

    def test_a_snapshot_holds_no_pipe_of_the_worker_open(self):
        session = self.new()
        self.client.run(session, "import subprocess\np = subprocess.Popen(['/bin/cat'], stdin=subprocess.PIPE)")
        self.client.run(session, "x = 1")
        outcome = self.client.run(session, "p.stdin.close(); p.wait(timeout=10)")
        self.assertEqual((outcome.verdict, outcome.result), ("ok", "0"), outcome)

    def test_an_event_loop_of_a_later_run_is_as_quick_as_ever(self):
        session = self.new()
        self.client.run(session, "import asyncio; await asyncio.sleep(0)")
        self.client.run(session, "import os; os._exit(1)")
        self.assertEqual(self.client.run(session, "await asyncio.wait_for(asyncio.sleep(0.01, 'done'), 2)").result, "'done'")


class Undo(RollbackCase):
    def test_undo_goes_back_by_runs_as_far_as_snapshots_are_kept(self):
        session = self.new()
        runs = [self.client.run(session, f"x = {i}").run_id for i in range(4)]
        back = self.client.session("undo", session, count=2)
        self.assertEqual(back["lost_runs"], runs[2:])
        self.assertEqual(self.value(session, "x"), "1")
        self.client.session("undo", session)
        self.assertEqual(self.value(session, "x"), "1")
        with self.assertRaisesRegex(Refused, "could be undone"):
            self.client.session("undo", session, count=9)

    def test_undo_of_everything_is_a_fresh_namespace(self):
        session = self.new("off")
        self.client.run(session, "x = 1")
        back = self.client.session("undo", session)
        self.assertIsNone(back["snapshot"])
        self.assertEqual(self.client.run(session, "x").verdict, "exception")

    def test_what_is_no_longer_kept_is_refused_with_what_there_is(self):
        session = self.new()
        for i in range(8):
            self.client.run(session, f"x = {i}")
        with self.assertRaisesRegex(Refused, "kept are those of 1, 2, 3, 4, 8 runs ago"):
            self.client.session("undo", session, count=6)
        self.assertEqual(self.client.info(session)["snapshots"], 4)

    def test_undo_while_a_run_is_under_way_is_refused(self):
        session = self.new()
        run = self.client.start(session, "import time; time.sleep(30)")
        with self.assertRaisesRegex(Refused, "busy"):
            self.client.session("undo", session)
        self.client.send({"type": "cancel", "id": 99, "run_id": run})
        self.assertEqual(self.client.wait(run).verdict, "cancelled")


class Checkpoints(RollbackCase):
    def test_a_checkpoint_can_be_restored_again_and_again(self):
        session = self.new("off")
        self.client.run(session, "it = iter(range(10)); next(it)")
        self.client.session("checkpoint", session, checkpoint="before-train")
        for _ in range(3):
            self.assertEqual(self.value(session, "next(it)"), "1")
            back = self.client.session("restore", session, checkpoint="before-train")
            self.assertEqual(back["snapshot"], "before-train")
        self.client.run(session, "import os; os._exit(1)")
        self.assertEqual(self.value(session, "next(it)"), "1")

    def test_checkpoints_are_listed_with_their_memory_and_can_be_removed(self):
        session = self.new("off")
        self.client.run(session, "x = bytearray(20 << 20)")
        self.client.session("checkpoint", session, checkpoint="big")
        self.client.run(session, "x[:] = b'1' * len(x)")
        row, = self.client.session("checkpoint_ls", session)["checkpoints"]
        self.assertEqual((row["name"], row["kind"], row["is_fallback"]), ("big", "checkpoint", True))
        self.assertGreater(row["private_bytes"], 20 << 20)
        self.assertGreater(row["shared_bytes"], 1 << 20)
        self.client.session("checkpoint_rm", session, checkpoint="big")
        self.assertEqual(self.client.session("checkpoint_ls", session)["checkpoints"], [])
        with self.assertRaisesRegex(Refused, "no checkpoint 'big'"):
            self.client.session("restore", session, checkpoint="big")

    def test_the_end_of_a_removed_checkpoint_does_not_disturb_the_next_one(self):
        session = self.new("off")
        self.client.run(session, "x = 41")
        pid = self.client.info(session)["worker_pid"]
        for _ in range(50):
            self.client.session("checkpoint", session, checkpoint="same")
            self.client.session("checkpoint_rm", session, checkpoint="same")
        self.assertEqual(self.value(session, "x"), "41")
        self.assertEqual(self.client.info(session)["worker_pid"], pid)

    def test_names_are_checked_and_their_number_is_bounded(self):
        session = self.new("off")
        self.client.run(session, "x = 1")
        for name, why in (("", "1 to 64"), ("../x", "1 to 64"), ("A", "1 to 64")):
            with self.assertRaisesRegex(Refused, why):
                self.client.session("checkpoint", session, checkpoint=name)
        for i in range(8):
            self.client.session("checkpoint", session, checkpoint=f"c{i}")
        with self.assertRaisesRegex(Refused, "sessions.checkpoints"):
            self.client.session("checkpoint", session, checkpoint="more")
        with self.assertRaisesRegex(Refused, "already"):
            self.client.session("checkpoint", session, checkpoint="c0")

    def test_reset_forgets_them(self):
        session = self.new()
        self.client.run(session, "x = 1")
        self.client.session("checkpoint", session, checkpoint="one")
        self.client.session("reset", session)
        self.assertEqual(self.client.session("checkpoint_ls", session)["checkpoints"], [])
        self.assertEqual(self.client.run(session, "x").verdict, "exception")


if __name__ == "__main__":
    unittest.main()
