"""Each word of the closed list of verdicts, caused once: the word, what a shell sees of it, and what says why."""
import re
import resource
import signal
import unittest

from branches import BranchClient
from support import ROOT, SMALL, Manager, ManagerCase

ENTRY_OF_ANOTHER_ARCHITECTURE = (
    "import ctypes, mmap\npage = mmap.mmap(-1, 4096, prot=7)\npage.write(b'\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3')\n"
    "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()")
FILL = "import mmap\nm = mmap.mmap(-1, 1 << 30)\nfor i in range(0, 1 << 30, 4096): m[i] = 1\n"
# verdict: (code, options, exit status, what is in the evidence)
CAUSES = {
    "ok": ("1", (), 0, {"signal": 0, "limit": ""}),
    "exception": ("1 / 0", (), 1, {"signal": 0}),
    "exit": ("import sys; sys.exit(7)", (), 7, {"signal": 0}),
    "timeout": ("while True: pass", ("--timeout", "0.2"), 124, {"limit": "wall_ms=200", "rung": "interrupt"}),
    "cpu_limit": ("while True: pass", ("--cpu", "0.2"), 152, {"limit": "cpu_ms=200", "rung": "interrupt"}),
    "out_of_memory": (FILL, ("--memory", "80M"), 137, {"limit": f"memory_bytes={80 << 20}"}),
    "output_limit": ("while True: print('x' * 100)", ("--output-limit", "10000", "--output-policy", "stop"), 153,
                     {"limit": "output_bytes=10000"}),
    "crashed": ("import ctypes; ctypes.string_at(0)", (), 139, {"signal": signal.SIGSEGV}),
    "violation": (ENTRY_OF_ANOTHER_ARCHITECTURE, (), 159, {"signal": signal.SIGSYS}),
    "worker_lost": ("import os; os.closerange(3, 256)\nimport time; time.sleep(60)", (), 137, {"rung": "kill"}),
    "rejected": ("1", ("--cpu", "61"), 125, {}),
}

BY_ITSELF = {"ok", "exception", "exit", "rejected"}  # the others ended otherwise: where it was and what it said, is told
NOTHING_RAN = {"internal_error"}


def words():
    text = (ROOT / "protocol" / "verdict.cc").read_text()
    return set(re.findall(r'case Verdict::k\w+: return "(\w+)"', text))


class VerdictsTest(ManagerCase):
    config = SMALL + "[limits]\ncpu_s = 60\n[run]\ngrace_s = 0.2\n"

    def cancelled(self):
        with BranchClient(self.manager.socket) as client:
            run_id = client.execute("import time\nprint('on', flush=True)\ntime.sleep(60)")
            while client.receive()["type"] != "output":
                pass
            client.send({"type": "cancel", "run_id": run_id})
            return client.messages_until_finished()[-1]

    def internal_error(self):
        """The manager has no descriptor left for the run's pipes."""
        with BranchClient(self.manager.socket) as client:
            self.manager.wait_settled()
            before = resource.prlimit(self.manager.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(self.manager.pid, resource.RLIMIT_NOFILE, (3, before[1]))
            try:
                client.execute("1")
                return client.messages_until_finished()[-1]
            finally:
                resource.prlimit(self.manager.pid, resource.RLIMIT_NOFILE, before)

    def aborted(self):
        manager = Manager(self.config + "[server]\ndrain_timeout_s = 0.2\n")
        self.addCleanup(manager.kill)
        with BranchClient(manager.start().socket) as client:
            client.execute("import time\nprint('on', flush=True)\ntime.sleep(60)")
            while client.receive()["type"] != "output":
                pass
            manager.signal(signal.SIGTERM)
            return client.messages_until_finished()[-1]

    def assert_told_where_it_was(self, verdict, evidence):
        self.assertTrue(evidence.get("stack") or evidence.get("stack_missing"), (verdict, evidence))
        if verdict not in NOTHING_RAN:
            self.assertTrue(evidence.get("last_output"), (verdict, evidence))

    def test_each_can_be_caused_and_says_why(self):
        caused = set()
        for verdict, (code, options, status, wanted) in CAUSES.items():
            with self.subTest(verdict):
                document = self.manager.run_code("print('on', flush=True)\n" + code, *options)
                self.assert_verdict(document, verdict, status)
                evidence = document["evidence"]
                self.assertEqual({name: evidence[name] for name in wanted}, wanted, evidence)
                if verdict != "rejected":  # at the door: there is no run yet, in no capsule
                    self.assertGreater(len(document["layers"]), 15)
                if verdict not in BY_ITSELF:
                    self.assert_told_where_it_was(verdict, evidence)
                caused.add(verdict)
        for verdict, status in (("cancelled", 130), ("internal_error", 125), ("aborted", 125)):
            with self.subTest(verdict):
                finished = getattr(self, verdict)()
                self.assertEqual((finished["verdict"], finished["exit_status"]), (verdict, status), finished)
                self.assertGreater(len(finished["evidence"]["layers"]), 15)
                self.assert_told_where_it_was(verdict, finished["evidence"])
                caused.add(verdict)
                if verdict == "internal_error":
                    self.assertIn("pipe", finished["evidence"]["detail"])
                    self.assert_next_run_works()
        self.assertEqual(caused, words())


if __name__ == "__main__":
    unittest.main()
