"""The oracles themselves: what each of the seven is there for is done by hand, and it has to say so, it and no other; and
none of them says anything when nothing was done."""
import contextlib
import os
import pathlib
import signal
import socket
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]

from arena import Arena, Outcome  # noqa: E402
from branches import BranchClient  # noqa: E402
from cases import Program  # noqa: E402
from neighbours import p99_problem  # noqa: E402
from oracles import Oracles, judge  # noqa: E402
from processes import wait_for  # noqa: E402


class OraclesTest(unittest.TestCase):
    def setUp(self):
        self.arena = Arena(short=True)
        self.addCleanup(self.arena.kill)
        self.oracles = Oracles(self.arena)
        self.oracles.begin()

    def said(self, outcomes=()):
        return self.oracles.check(outcomes)

    def assert_only(self, letter, words, outcomes=()):
        said = self.said(outcomes)
        self.assertEqual({each for each, _ in said}, {letter}, said)
        self.assertIn(words, " ".join(sentence for _, sentence in said))

    def assert_silent(self):
        self.oracles.begin()
        self.assertEqual(self.said(), [])

    def test_none_says_anything_when_nothing_happened(self):
        self.assertEqual(self.said([self.arena.run("print('hello')")]), [])

    def test_reading_is_found_in_what_came_back_whatever_it_was_cut_into(self):
        canary = self.arena.canary
        self.assert_only("R", "what came back", [self.arena.run(f"print({canary!r})")])
        halves = f"print({canary[:9]!r}, end='', flush=True); print({canary[9:]!r})"
        self.assert_only("R", "what came back", [self.arena.run(halves)])
        self.assert_only("R", "what came back", [self.arena.run(f"raise ValueError({canary!r})")])
        self.assert_silent()

    def test_reading_is_found_in_the_log_and_in_the_files_of_operators(self):
        with open(self.arena.manager.log_file, "a") as log:
            log.write(self.arena.canary + "\n")
        self.assert_only("R", "the log")
        # A log that was written to is set aside under another name.
        for name, said in (("audit/audit.jsonl", "audit/audit."), ("traces/traces.jsonl", "traces/traces.jsonl"),
                           ("new-file", "new-file")):
            place = pathlib.Path(self.arena.manager.directory, "state", name)
            with open(place, "a") as file:
                file.write(f"  {self.arena.canary}\n")
            self.assert_only("R", said)
        self.assert_silent()

    def test_reading_is_found_in_info(self):
        with BranchClient(self.arena.manager.socket) as client:
            run = client.post_run("", f"import time; time.sleep(60)", mode="script", filename=self.arena.canary)
            wait_for(lambda: self.arena.canary in repr(self.arena.info()), 10, "a canary in info")
            said = self.oracles._r([])
            self.assertIn("a canary stands in info", said)
            self.assertTrue(run)

    def test_writing_is_found(self):
        tree = self.arena.tree
        for what in (lambda: (tree.directory / "writable").write_text("other\n"), lambda: (tree.directory / "new").touch(),
                     lambda: os.utime(tree.secret), lambda: os.chmod(tree.secret, 0o644),
                     lambda: (tree.directory / "settings.toml").unlink(), lambda: os.mkdir(tree.directory / "keys" / "d")):
            what()
            self.assert_only("W", "changed outside")
            self.assert_silent()

    def test_actions_are_found(self):
        for family, address in ((socket.AF_INET, ("127.0.0.1", self.arena.trap.port)), (socket.AF_UNIX, self.arena.trap.path),
                                (socket.AF_UNIX, "\0" + self.arena.trap.abstract)):
            with socket.socket(family) as caller:
                caller.connect(address)
                caller.recv(10)
            self.assert_only("X", "the trap listeners were called")
            self.assert_silent()
        calls = len(self.arena.trap.calls)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as caller:
            caller.sendto(b"x", self.arena.trap.datagram_path)
        wait_for(lambda: len(self.arena.trap.calls) > calls, 5, "the datagram")
        self.assert_only("X", "the trap listeners were called")
        os.kill(self.arena.decoy.pid, signal.SIGSTOP)
        self.assert_only("X", "state T")
        os.kill(self.arena.decoy.pid, signal.SIGCONT)
        self.assert_silent()
        os.kill(self.arena.decoy.pid, signal.SIGTERM)
        self.arena.decoy.child.wait()
        self.assert_only("X", "the decoy process ended")

    def test_a_zygote_that_was_replaced_is_found(self):
        before = self.arena.zygotes()["base"]
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: self.arena.zygotes()["base"] not in (0, None, before), 20, "another zygote")
        self.assert_only("C", "zygotes were replaced")
        self.assert_silent()

    def test_a_manager_that_ended_is_found(self):
        self.arena.manager.process.kill()
        self.arena.manager.process.wait()
        self.assertIn("the manager ended", self.oracles._c()[0])

    def test_a_manager_that_does_not_answer_is_found(self):
        manager = self.arena.manager.pid
        os.kill(manager, signal.SIGSTOP)
        child = os.fork()
        if child == 0:
            time.sleep(1.5)
            os.kill(manager, signal.SIGCONT)
            os._exit(0)
        self.assertIn("info took", " ".join(self.oracles._c()))
        os.waitpid(child, 0)

    def in_neighbour(self, code):
        with BranchClient(self.arena.manager.socket) as client:
            self.assertEqual(client.run("neighbour-1", code).verdict, "ok")

    def test_a_neighbour_with_a_wrong_result_is_found(self):
        self.in_neighbour("count += 5")
        self.assert_only("N", "neighbour-1: cell")

    def test_one_neighbour_that_was_slowed_is_found_beside_one_that_was_not(self):
        self.in_neighbour("import time\nright = sum\ndef sum(values):\n    time.sleep(0.15)\n    return right(values)")
        self.oracles.begin()
        time.sleep(1.0)
        self.assertIn("a neighbour took 0.1", " ".join(self.oracles._n()))

    def test_a_neighbour_that_is_gone_is_found(self):
        with BranchClient(self.arena.manager.socket) as client:
            client.session("rm", "neighbour-2")
        self.assertIn("neighbour-2", " ".join(self.oracles._n()))

    def test_what_is_left_is_found(self):
        shared = pathlib.Path("/dev/shm", f"capsule-attack-{os.getpid()}")
        with contextlib.ExitStack() as left:
            left.callback(lambda: shared.unlink(missing_ok=True))
            shared.touch()
            self.assert_only("L", "shared memory")
            shared.unlink()
            file = self.arena.manager.temporary / "left"
            file.touch()
            self.assert_only("L", "temporary files")
            file.unlink()
            for _ in range(8):  # more than what comes and goes with the neighbours' cells
                left.enter_context(self.arena.client())
            self.assert_only("L", "descriptors")
            with BranchClient(self.arena.manager.socket) as client:
                session = client.new(rollback="off")
                said = self.said()
                self.assertEqual({letter for letter, _ in said}, {"L"}, said)
                client.session("rm", session)


class JudgeTest(unittest.TestCase):
    """Oracle I is a function of a case and of what came back."""

    GOOD = {"verdict": "crashed", "exit_status": 139, "evidence": {"signal": 11}}

    def said(self, keys=None, finished=None, output=b"TRIED it\nSTOPPED EPERM\n"):
        case = Program("A01", "it", "it", "", {"verdict": "crashed", "stopped": "EPERM EACCES", "signal": "11", **(keys or {})}, "")
        messages = [{"type": "output", "stream": 1, "data": output}, {"type": "finished", **self.GOOD, **(finished or {})}]
        return " ".join(sentence for _, sentence in judge(case, Outcome(messages, 0.1)))

    def test_what_is_right_is_not_spoken_of(self):
        self.assertEqual(self.said(), "")

    def test_a_verdict_that_is_not_expected(self):
        self.assertIn("the verdict is ok", self.said(finished={"verdict": "ok", "exit_status": 0}))
        self.assertIn("the verdict is none", " ".join(text for _, text in judge(
            Program("A01", "it", "it", "", {}, ""), Outcome([], 0.1))))

    def test_an_exit_status_or_a_signal_that_does_not_go_with_the_verdict(self):
        self.assertIn("with exit status 0", self.said(finished={"exit_status": 0}))
        self.assertIn("signal 6, expected 11", self.said(finished={"exit_status": 134, "evidence": {"signal": 6}}))
        for verdict, status in (("ok", 1), ("timeout", 0), ("out_of_memory", 139), ("violation", 0)):
            self.assertIn(f"verdict {verdict} with exit status {status}",
                          self.said({"verdict": verdict}, {"verdict": verdict, "exit_status": status}))

    def test_an_attack_that_did_not_happen_went_through_or_was_stopped_by_something_else(self):
        self.assertIn("nothing was tried", self.said(output=b"STOPPED EPERM\n"))
        self.assertIn("went through: the secret", self.said(output=b"TRIED it\nSTOPPED EPERM\nGOT the secret\n"))
        self.assertIn("nothing was refused", self.said(output=b"TRIED it\n"))
        self.assertIn("stopped by ['ENOSYS']", self.said(output=b"TRIED it\nSTOPPED EPERM\nSTOPPED ENOSYS\n"))


class PercentileTest(unittest.TestCase):
    QUIET = [0.003] * 380 + [0.03] * 20

    def test_as_slow_as_when_it_is_quiet_is_no_problem(self):
        self.assertIsNone(p99_problem(self.QUIET * 10, self.QUIET))
        self.assertIsNone(p99_problem([0.003] * 3000, [0.003] * 100))
        self.assertIsNone(p99_problem([0.003] * 2900 + [0.06] * 100, [0.003] * 100))  # a few turns of the scheduler

    def test_one_cell_in_fifty_that_waits_is_one(self):
        self.assertIn("0.100 s", p99_problem([0.003] * 2940 + [0.1] * 60, self.QUIET))
        self.assertIsNone(p99_problem([0.003] * 2940 + [0.1] * 60, self.QUIET, "off"))
        self.assertIn("0.300 s", p99_problem([0.003] * 2940 + [0.3] * 60, self.QUIET, "off"))

    def test_of_a_handful_nothing_is_said(self):
        self.assertIsNone(p99_problem([1.0] * 100, self.QUIET))


if __name__ == "__main__":
    unittest.main()
