"""Requests about one session that meet: each has its answer, and the session works afterwards.

CAPSULE_MEETINGS is how many random ones there are, CAPSULE_RANDOM_SEED repeats them; the seed is printed.
"""
import os
import random
import sys
import unittest

from branches import BranchClient
from test_rollback import RollbackCase

MEETINGS = int(os.environ.get("CAPSULE_MEETINGS", "300"))
SEED = int(os.environ.get("CAPSULE_RANDOM_SEED", str(random.SystemRandom().randrange(1 << 32))))

UP = "print('up', flush=True)\n"
LOOPS = {"sleeps": "import time; time.sleep(60)", "loops": "while True: pass",
         "loops in C": "import itertools; sum(itertools.repeat(0))"}
SLOW = ("import time\nclass Slow:\n  def __reduce__(self):\n    time.sleep(0.3); return (Slow, ())\nslow = Slow()")


class AtOnceCase(RollbackCase):
    def setUp(self):
        super().setUp()
        self.client.socket.settimeout(30)

    def forget_durable(self, *names):
        for name in names:
            self.client.answers([self.client.post_session("checkpoint_rm", checkpoint=name)])

    def start_up(self, session, code):
        """The run, once it is at its code."""
        run = self.client.start(session, code)
        while self.client.receive_of("output")["run_id"] != run:
            pass
        return run

    def assert_kind(self, answer, *codes):
        """A document, or an error with one of these codes."""
        if answer["type"] == "error":
            self.assertIn(answer["code"], codes, answer)
            return False
        self.assertEqual(answer["type"], "document", answer)
        return True


class WithACancel(AtOnceCase):
    def meet(self, operation, code, cancel_first, **fields):
        session = self.new("always")
        self.client.run(session, "x = 1")
        self.client.session("checkpoint", session, checkpoint="one")
        self.client.run(session, "x = 2")
        run = self.start_up(session, "x = 3\n" + UP + code)
        requests = [{"type": "cancel", "run_id": run},
                    {"type": "session", "operation": operation, "session": session, **fields}]
        numbers = [self.client.post(each) for each in (requests if cancel_first else reversed(requests))]
        back = numbers[1 if cancel_first else 0]
        outcome, answered = None, {}
        while outcome is None or len(answered) < 2:
            message = self.client.receive()
            if message.get("re") in numbers:
                answered[message["re"]] = message
            if message["type"] == "finished":
                outcome = message
        self.assertEqual(outcome["verdict"], "cancelled", outcome)
        went_back = self.assert_kind(answered[back], "conflict")
        if not went_back:
            self.assertIn("busy", answered[back]["message"])
        kept = outcome["evidence"]["session_state"] == "kept"
        expected = {"restore": "1", "undo": "1"}[operation] if went_back else "3" if kept else "2"
        self.assertEqual(self.value(session, "x"), expected, (outcome, answered))
        self.client.session("restore", session, checkpoint="one")
        self.assertEqual(self.value(session, "x"), "1")

    def test_restore_and_cancel(self):
        for name, code in LOOPS.items():
            for cancel_first in (True, False):
                with self.subTest(name, cancel_first=cancel_first):
                    self.meet("restore", code, cancel_first, checkpoint="one")

    def test_undo_and_cancel(self):
        for name, code in LOOPS.items():
            for cancel_first in (True, False):
                with self.subTest(name, cancel_first=cancel_first):
                    self.meet("undo", code, cancel_first)

    def test_a_restore_that_comes_while_the_cancelled_run_is_rolled_back_waits_for_it(self):
        session = self.new("always")
        self.client.run(session, "x = 1")
        self.client.session("checkpoint", session, checkpoint="one")
        self.client.run(session, "x = 2")
        run = self.start_up(session, UP + LOOPS["loops in C"])
        self.client.post({"type": "cancel", "run_id": run})
        refusals = 0
        while True:
            number = self.client.post_session("restore", session, checkpoint="one")
            answer = self.client.answers([number])[number]
            if self.assert_kind(answer, "conflict"):
                break
            refusals += 1
        self.assertGreater(refusals, 0)
        self.assertEqual(self.value(session, "x"), "1")


class WithEachOther(AtOnceCase):
    def test_two_restores_come_one_after_the_other(self):
        session = self.new("off")
        for i in range(2):
            self.client.run(session, f"x = {i}")
            self.client.session("checkpoint", session, checkpoint=f"c{i}")
        other = BranchClient(self.manager.socket)
        self.addCleanup(other.close)
        for _ in range(10):
            numbers = [self.client.post_session("restore", session, checkpoint=f"c{i}") for i in (0, 1, 0, 1)]
            numbers_of_other = [other.post_session("restore", session, checkpoint="c0")]
            answered = self.client.answers(numbers)
            self.assertEqual([a["type"] for a in answered.values()], ["document"] * 4, answered)
            self.assertEqual(list(answered), numbers)
            self.assertEqual(other.answers(numbers_of_other)[numbers_of_other[0]]["type"], "document")
            self.assertIn(self.value(session, "x"), ("0", "1"))
            number = self.client.post_session("restore", session, checkpoint="c1")
            run = self.client.post_run(session, "x += 1; print(x)")
            self.assertEqual(self.client.answers([number, run])[run]["verdict"], "ok")
            self.assertEqual(self.value(session, "x"), "2")

    def test_a_restore_while_a_durable_checkpoint_is_written_disturbs_neither(self):
        session = self.new("off")
        self.client.run(session, "x = 1")
        self.client.session("checkpoint", session, checkpoint="one")
        self.client.run(session, SLOW + "; x = 2")
        save = self.client.post_session("checkpoint", session, checkpoint="slow", durable=True)
        self.addCleanup(self.forget_durable, "slow")
        restores = [self.client.post_session("restore", session, checkpoint="one") for _ in range(3)]
        answered = self.client.answers([save, *restores])
        self.assertEqual([a["type"] for a in answered.values()], ["document"] * 4, answered)
        self.assertEqual(list(answered)[-1], save, "the session went back while its checkpoint was being written")
        self.assertEqual(self.value(session, "x"), "1")
        self.assertEqual(self.value(self.new("off", checkpoint="slow"), "x"), "2")

    def test_whatever_becomes_of_the_session_its_checkpoint_is_written_or_refused(self):
        acts = {"crash": lambda s: self.client.post_run(s, "import os; os.kill(os.getpid(), 9)"),
                "undo": lambda s: self.client.post_session("undo", s),
                "reset": lambda s: self.client.post_session("reset", s),
                "rm": lambda s: self.client.post_session("rm", s)}
        for act, post in acts.items():
            for round_ in range(5):
                with self.subTest(act, round=round_):
                    session = self.client.new(rollback="always")
                    self.client.run(session, SLOW + "; x = 1")
                    save = self.client.post_session("checkpoint", session, checkpoint="durable", durable=True)
                    answered = self.client.answers([save, post(session)])
                    if self.assert_kind(answered[save], "closed"):
                        copy = self.client.new(checkpoint="durable")
                        self.assertEqual(self.value(copy, "x"), "1")
                        self.client.session("rm", copy)
                        self.forget_durable("durable")
                    if act != "rm":
                        self.value(session, "1")
                        self.client.session("rm", session)

    def test_looking_at_what_there_is_while_the_session_goes_back_costs_nothing(self):
        session = self.new("always")
        self.client.run(session, "x = 0")
        for turn in range(30):
            self.client.run(session, f"x = {turn + 1}")
            numbers = [self.client.post_session("checkpoint_ls", session) for _ in range(turn % 3 + 1)]
            numbers.append(self.client.post_session("undo", session))
            answered = self.client.answers(numbers)
            self.assertEqual({a["type"] for a in answered.values()}, {"document"}, answered)
            outcome = self.client.run(session, "x")
            self.assertEqual((outcome.result, outcome.state), (str(turn), "kept"), outcome)
            self.client.run(session, f"x = {turn + 1}")

    def test_a_checkpoint_that_is_removed_while_the_session_goes_back_to_it(self):
        session = self.new("always")
        self.client.run(session, "x = 1")
        for _ in range(20):
            self.client.session("checkpoint", session, checkpoint="gone")
            self.client.run(session, "x = 2")
            restore = self.client.post_session("restore", session, checkpoint="gone")
            remove = self.client.post_session("checkpoint_rm", session, checkpoint="gone")
            answered = self.client.answers([restore, remove])
            self.assertEqual(answered[restore]["type"], "document", answered)
            self.assertEqual(self.value(session, "x"), "1")
            if not self.assert_kind(answered[remove], "conflict"):
                self.assertIn("is going back to checkpoint 'gone'", answered[remove]["message"])
                self.client.session("checkpoint_rm", session, checkpoint="gone")


class AtRandom(AtOnceCase):
    def test_every_request_has_one_answer_and_the_session_goes_on(self):
        print(f"seed {SEED}, {MEETINGS} meetings", file=sys.stderr)
        numbers = random.Random(SEED)
        other = BranchClient(self.manager.socket)
        self.addCleanup(other.close)
        counts = {}
        session = self.new("idle")
        for meeting in range(MEETINGS):
            self.meeting = meeting
            self.client.run(session, SLOW.replace("0.3", "0.05") if meeting % 4 == 0 else "x = 1")
            posted = {self.client: [], other: []}
            plan = [self.act(numbers) for _ in range(numbers.randrange(2, 8))]
            for name, send in plan:
                client = numbers.choice([self.client, other])
                posted[client].append((send(client, session), name))
            for client, asked in posted.items():
                try:
                    answered = client.answers([number for number, _ in asked])
                except AssertionError as error:
                    self.fail(f"meeting {meeting} of seed {SEED}: {asked} in {[n for n, _ in plan]}: {error}")
                self.check(answered, dict(asked), plan, counts)
            outcome = self.client.run(session, "6 * 7")
            self.assertEqual((outcome.verdict, outcome.result), ("ok", "42"),
                             f"meeting {meeting} of seed {SEED}: {[n for n, _ in plan]}: {outcome}")
            for name in ("c0", "c1"):
                self.forget_durable(name)
        print(dict(sorted(counts.items())), file=sys.stderr)

    def check(self, answered, names, plan, counts):
        for number, answer in answered.items():
            what = answer.get("verdict") or answer.get("code") or "done"
            self.assertNotIn(what, ("internal_error", "internal", "system", "timed_out", "worker_lost"),
                             f"{names[number]} in {[n for n, _ in plan]}: {answer}")
            count = f"{names[number]}: {what}"
            counts[count] = counts.get(count, 0) + 1

    @staticmethod
    def act(numbers):
        name = f"c{numbers.randrange(2)}"
        runs = numbers.randrange(1, 4)

        def about(operation, **fields):
            return operation, lambda client, session: client.post_session(operation, session, **fields)

        def run(what, code, **fields):
            return what, lambda client, session: client.post_run(session, code, **fields)

        return numbers.choice([
            about("undo", count=runs), about("undo"), about("restore", checkpoint=name),
            about("restore", checkpoint=name), about("checkpoint", checkpoint=name),
            ("save", about("checkpoint", checkpoint=name, durable=True)[1]), about("checkpoint_ls"),
            about("checkpoint_rm", checkpoint=name), about("reset"), run("run", "x = 2"),
            run("run", "x = 3", rollback="always"), run("crash", "import os; os.kill(os.getpid(), 9)"),
            run("stuck", "import time; time.sleep(60)", timeout_ms=50)])


if __name__ == "__main__":
    unittest.main()
