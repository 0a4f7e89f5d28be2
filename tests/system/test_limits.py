"""Processor time and memory of runs and sessions: with control groups where they can be had, and without."""
import ctypes
import os
import signal
import struct
import unittest

from processes import descendants, wait_for
from support import SMALL, ManagerCase

SPIN = "while True: pass"
# Shared memory: no limit of one process's heap sees it.
FILL = ("import mmap\nm = mmap.mmap(-1, 1 << 30)\n"
        "for i in range(0, 1 << 30, 4096): m[i] = 1\n")
CHILDREN = ("import os, time\n"
            "for _ in range(2):\n"
            "    if os.fork() == 0:\n"
            "        import mmap\n"
            "        m = mmap.mmap(-1, 60 << 20)\n"
            "        for i in range(0, 60 << 20, 4096): m[i] = 1\n"
            "        time.sleep(60)\n"
            "time.sleep(60)\n")


class LimitsCase:
    """The same with and without control groups."""

    def test_a_busy_loop_ends_at_its_processor_time(self):
        document = self.manager.run_code(SPIN, "--cpu", "0.3")
        self.assert_verdict(document, "cpu_limit", 152)
        self.assertEqual(document["evidence"]["limit"], "cpu_ms=300")
        self.assertEqual(document["evidence"]["rung"], "interrupt")
        self.assertGreaterEqual(document["usage"]["cpu_user_s"] + document["usage"]["cpu_system_s"], 0.25)

    def test_the_processor_time_of_children_counts(self):
        code = ("import os\n"
                "if os.fork() == 0:\n"
                "    while True: pass\n"
                "os.wait()\n")
        self.assert_verdict(self.manager.run_code(code, "--cpu", "0.3"), "cpu_limit", 152)

    def test_sleeping_costs_no_processor_time(self):
        self.assert_verdict(self.manager.run_code("import time; time.sleep(0.6)", "--cpu", "0.3"), "ok", 0)

    def test_memory_past_the_limit_kills_the_program_and_says_so(self):
        document = self.manager.run_code(FILL, "--memory", "100M")
        self.assert_verdict(document, "out_of_memory", 137)
        self.assertEqual(document["evidence"]["limit"], f"memory_bytes={100 << 20}")
        self.assert_next_run_works()

    def test_a_program_within_its_memory_ends_well(self):
        self.assert_verdict(self.manager.run_code("x = bytearray(30 << 20)", "--memory", "150M"), "ok", 0)

    def test_a_run_that_may_have_less_memory_gets_a_memory_error_first(self):
        code = "try:\n  bytearray(300 << 20)\nexcept MemoryError: print('caught')\nprint(len(bytearray(50 << 20)))"
        document = self.manager.run_code(code, "--memory", "200M")
        self.assert_verdict(document, "ok", 0)
        self.assertEqual(document["stdout"], f"caught\n{50 << 20}\n")

    def test_in_a_session_the_memory_error_costs_the_cell_and_holds_for_that_run(self):
        for ours, of_run in (("200M", ()), ("1G", ("--memory", "200M"))):
            session = self.manager.capsule("session", "new", "--memory", ours).out.decode().strip()
            self.manager.exec(session, "x = 1")
            document = self.manager.exec(session, "bytearray(300 << 20)", *of_run)
            self.assert_verdict(document, "exception", 1)
            self.assertEqual((document["error"]["name"], document["evidence"]["session_state"]), ("MemoryError", "kept"))
            self.assertEqual(self.manager.exec(session, "print(x)")["stdout"], "1\n")
            if of_run:
                self.assertEqual(self.manager.exec(session, "print(len(bytearray(300 << 20)))")["stdout"], f"{300 << 20}\n")
            self.manager.capsule("session", "rm", session)

    def test_a_run_may_not_ask_for_more_than_its_profile_allows(self):
        for option, value, knob in (("--memory", "3G", "limits.memory_bytes"), ("--cpu", "61", "limits.cpu_s")):
            document = self.manager.run_code("1", option, value)
            self.assert_verdict(document, "rejected", 125)
            self.assertIn(knob, document["evidence"]["detail"])

    def test_a_session_lives_on_after_its_run_ran_out_of_memory(self):
        session = self.manager.capsule("session", "new", "--memory", "120M").out.decode().strip()
        self.assert_verdict(self.manager.exec(session, "x = 1"), "ok", 0)
        document = self.manager.exec(session, FILL)
        self.assert_verdict(document, "out_of_memory", 137)
        self.assertEqual(document["evidence"]["session_state"], "rolled_back")
        self.assertEqual(self.manager.exec(session, "print(x + 1)")["stdout"], "2\n")
        self.manager.capsule("session", "rm", session)

    def test_a_session_counts_processor_time_by_run(self):
        session = self.manager.capsule("session", "new", "--cpu", "1").out.decode().strip()
        half = "import time\nend = time.process_time() + 0.6\nwhile time.process_time() < end: pass\n"
        for _ in range(3):
            self.assert_verdict(self.manager.exec(session, half), "ok", 0)
        document = self.manager.exec(session, SPIN, "--cpu", "0.2")
        self.assert_verdict(document, "cpu_limit", 152)
        self.assertEqual(document["evidence"]["session_state"], "kept")
        self.assert_verdict(self.manager.exec(session, "1", "--cpu", "2"), "rejected", 125)
        self.manager.capsule("session", "rm", session)


def group_directories(ending):
    return [directory for directory, _, _ in os.walk("/sys/fs/cgroup") if directory.endswith(ending)]


def layer(document, name):
    return next(layer for layer in document["layers"] if layer["name"] == name)


class WrittenTo:
    """How often files were closed that had been opened for writing (inotify)."""

    CLOSED = 8  # IN_CLOSE_WRITE

    def __init__(self, paths):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_NONBLOCK)
        for path in paths:
            if libc.inotify_add_watch(self.fd, path.encode(), self.CLOSED) < 0:
                raise OSError(ctypes.get_errno(), "inotify_add_watch")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def read(self):
        try:
            events = struct.iter_unpack("iIII", os.read(self.fd, 65536))  # names come with directories only
        except BlockingIOError:
            return 0
        return sum(bool(mask & self.CLOSED) for _, mask, _, _ in events)


class WithGroupsTest(LimitsCase, ManagerCase):
    config = SMALL + "[limits]\ncpu_s = 60\n"

    def setUp(self):
        self.layer = layer(self.manager.run_code("1"), "cgroup")
        if self.layer["state"] != "on":
            self.skipTest("control groups cannot be had here: " + self.layer["detail"])

    def test_the_kernel_counts_who_it_killed(self):
        document = self.manager.run_code(FILL, "--memory", "100M")
        self.assertEqual(document["evidence"]["oom_kills"], 1)
        self.assertEqual(document["evidence"]["signal"], 9)

    def test_two_children_together_pass_a_limit_that_neither_does(self):
        document = self.manager.run_code(CHILDREN, "--memory", "100M", "--timeout", "20")
        self.assertIn(document["verdict"], ("out_of_memory", "timeout"))
        self.assertGreaterEqual(document["evidence"]["oom_kills"], 1)

    def test_a_program_that_kills_itself_is_not_out_of_memory(self):
        document = self.manager.run_code("import os; os.kill(os.getpid(), 9)")
        self.assert_verdict(document, "crashed", 137)

    def test_groups_go_with_their_capsules(self):
        self.manager.wait_settled()
        group = f"/capsule-{self.own_groups()[0].split('/capsule-', 1)[1]}"
        self.assertTrue(group_directories(group))
        self.manager.run_code("1")  # takes the oldest worker of the stock; the rest follows
        self.manager.run_code("1")
        wait_for(lambda: not group_directories(group), 10, "the group of a used capsule to be gone")

    def test_no_run_waits_for_a_process_to_be_moved_into_a_group(self):
        session = self.manager.capsule("session", "new", "--rollback", "always").out.decode().strip()
        self.manager.wait_settled()
        endings = {"/capsule-" + line.split("/capsule-", 1)[1] for line in self.own_groups()}
        # Version 1 lets a process in by either file, version 2 has the first only.
        doors = [f"{place}/{name}" for ending in endings for place in group_directories(ending)
                 for name in ("cgroup.procs", "tasks") if os.path.exists(f"{place}/{name}")]
        self.assertTrue(doors)
        with WrittenTo(doors) as written:
            self.assert_verdict(self.manager.run_code("print(1)", "--memory", "100M"), "ok", 0)
            for code in ("x = 1", "x = 2", "import os; os._exit(3)", "x"):
                self.manager.exec(session, code)
            self.assertEqual(written.read(), 0)
            for name in {os.path.basename(door) for door in doors}:
                with open(next(door for door in doors if door.endswith(name) and os.path.exists(door)), "a", encoding="ascii"):
                    pass
                self.assertEqual(written.read(), 1, "what is watched is seen")
        self.manager.capsule("session", "rm", session)

    def own_groups(self):
        """Of the manager's capsules, as /proc says; the oldest first."""
        found = []
        for pid, name in sorted(descendants(self.manager.pid).items()):
            if name.startswith("worker-"):
                with open(f"/proc/{pid}/cgroup", encoding="ascii") as lines:
                    found += [line.strip() for line in lines if ":memory:" in line or line.startswith("0::/capsule-")]
        return found


class WithoutGroupsTest(LimitsCase, ManagerCase):
    config = SMALL + "[limits]\ncpu_s = 60\n[sandbox]\ncgroup = \"off\"\n"

    def test_the_layer_says_that_it_is_off_and_what_is_not_bounded_then(self):
        found = layer(self.manager.run_code("1"), "cgroup")
        self.assertEqual(found["state"], "off")
        self.assertIn("memfds", found["detail"])

    def test_two_children_together_pass_a_limit_that_neither_does(self):
        self.assert_verdict(self.manager.run_code(CHILDREN, "--memory", "100M", "--timeout", "20"), "out_of_memory", 137)

    def test_what_children_share_with_their_parent_is_counted_once(self):
        code = ("import os, time\nx = bytearray(40 << 20)\n"
                "for _ in range(4):\n"
                "    if os.fork() == 0:\n"
                "        time.sleep(0.5)\n"
                "        os._exit(0)\n"
                "for _ in range(4): os.wait()\n")
        self.assert_verdict(self.manager.run_code(code, "--memory", "120M"), "ok", 0)

    def test_nothing_of_a_killed_run_is_left(self):
        self.manager.run_code(CHILDREN, "--memory", "100M", "--timeout", "20")
        self.manager.wait_settled()
        names = list(descendants(self.manager.pid).values())
        self.assertEqual([name for name in names if "sleep" in name], [])


class StackTest(ManagerCase):
    def test_an_interrupted_program_says_where_it_was(self):
        code = ("import threading, time\n"
                "def waits():\n"
                "    time.sleep(30)\n"
                "threading.Thread(target=waits, name='helper', daemon=True).start()\n"
                "def spins():\n"
                "    while True: pass\n"
                "spins()\n")
        document = self.manager.run_code(code, "--timeout", "0.5")
        self.assert_verdict(document, "timeout", 124)
        stack = document["evidence"]["stack"]
        for text in ("MainThread", "in spins", "helper", "in waits"):
            self.assertIn(text, stack)
        self.assertNotIn("_capsule", stack)

    def test_a_program_stuck_in_c_says_where_it_was(self):
        code = "def stuck():\n    return sum(range(10 ** 12))\nstuck()\n"
        document = self.manager.run_code(code, "--timeout", "0.3")
        self.assert_verdict(document, "timeout", 124)
        self.assertEqual(document["evidence"]["rung"], "kill")
        self.assertIn("in stuck", document["evidence"]["stack"])
        self.assertNotIn("_capsule", document["evidence"]["stack"])

    def test_a_stopped_worker_cannot_tell_and_the_evidence_says_so(self):
        code = "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\n"
        document = self.manager.run_code(code, "--timeout", "0.3")
        self.assert_verdict(document, "timeout", 124)
        self.assertEqual(document["evidence"]["stack"], "")
        self.assertEqual(document["evidence"]["stack_missing"], "the worker did not answer")

    def test_a_program_that_ends_by_itself_has_no_stack(self):
        evidence = self.manager.run_code("1 / 0")["evidence"]
        self.assertEqual((evidence["stack"], evidence["stack_missing"]), ("", ""))

    def test_a_fault_in_c_code_tells_where_python_was(self):
        deep = ("import sys\nsys.setrecursionlimit(10 ** 7)\nclass Deep:\n    def __getattr__(self, name):\n"
                "        return getattr(self, name)\ndef inner():\n    Deep().x\ninner()\n")
        for code, number in (("import ctypes\ndef inner():\n    ctypes.string_at(0)\ninner()", signal.SIGSEGV),
                             ("import os\ndef inner():\n    os.abort()\ninner()", signal.SIGABRT),
                             ("import os\ndef inner():\n    os.kill(os.getpid(), 11)\ninner()", signal.SIGSEGV),
                             (deep, signal.SIGSEGV)):
            document = self.manager.run_code(code)
            self.assert_verdict(document, "crashed", 128 + number)
            evidence = document["evidence"]
            self.assertIn("in __getattr__" if code is deep else "in inner", evidence["stack"], document)
            self.assertIn("Current thread", evidence["stack"])
            self.assertNotIn("_capsule", evidence["stack"])
            self.assertEqual(evidence["signal"], number)

    def test_a_thread_that_crashes_is_told_from_the_others(self):
        code = ("import ctypes, threading, time\ndef crash():\n    time.sleep(0.1)\n    ctypes.string_at(0)\n"
                "threading.Thread(target=crash).start()\ndef wait():\n    time.sleep(60)\nwait()")
        document = self.manager.run_code(code)
        self.assert_verdict(document, "crashed", 139)
        crashed, others = document["evidence"]["stack"].split("Thread 0x", 1)
        self.assertIn("in crash", crashed)
        self.assertIn("in wait", others)

    def test_a_killed_program_has_no_stack_and_the_evidence_says_so(self):
        document = self.manager.run_code("import os; os.kill(os.getpid(), 9)")
        self.assert_verdict(document, "crashed", 137)
        self.assertEqual(document["evidence"]["stack"], "")
        self.assertEqual(document["evidence"]["stack_missing"], "the program ended before its stack was read")

    def test_people_see_it_too(self):
        done = self.manager.capsule("run", "--timeout", "0.3", "-c", "def here():\n    while True: pass\nhere()")
        self.assertIn(b"in here", done.err)


class RequireTest(ManagerCase):
    def test_a_layer_in_force_lets_the_run_go_on(self):
        self.assert_verdict(self.manager.run_code("1", "--require", "no_new_privs,capabilities"), "ok", 0)

    def test_an_unknown_layer_is_an_error(self):
        document = self.manager.run_code("1", "--require", "firewall")
        self.assert_verdict(document, "rejected", 125)
        self.assertIn("firewall", document["evidence"]["detail"])


class RequireMissingTest(ManagerCase):
    config = SMALL + "[sandbox]\ncgroup = \"off\"\n"

    def test_a_missing_layer_rejects_the_run_by_name(self):
        document = self.manager.run_code("print('never')", "--require", "capabilities,cgroup")
        self.assert_verdict(document, "rejected", 125)
        self.assertIn("cgroup", document["evidence"]["detail"])
        self.assertEqual(document["stdout"], "")
        self.assertIn("cgroup", [found["name"] for found in document["layers"]])

    def test_in_a_session_too_which_stays_as_it_was(self):
        session = self.manager.capsule("session", "new").out.decode().strip()
        self.manager.exec(session, "x = 1")
        self.assert_verdict(self.manager.exec(session, "x = 2", "--require", "cgroup"), "rejected", 125)
        self.assertEqual(self.manager.exec(session, "print(x)")["stdout"], "1\n")
        self.manager.capsule("session", "rm", session)


if __name__ == "__main__":
    unittest.main()
