"""Random sequences of runs, crashes, undo, forks, checkpoints, restores and kills against a model of what each session holds.

CAPSULE_RANDOM_STEPS sets the number of steps (default: a short form; `make branches` is the long one), and
CAPSULE_RANDOM_SEED repeats a history. The seed is printed.
"""
import dataclasses
import os
import random
import signal
import sys
import unittest

from branches import BranchClient, Refused
from processes import wait_for
from support import SMALL, ManagerCase

STEPS = int(os.environ.get("CAPSULE_RANDOM_STEPS", "600"))
SEED = int(os.environ.get("CAPSULE_RANDOM_SEED", str(random.SystemRandom().randrange(1 << 32))))
SESSIONS = 4
FORK_DEPTH = 6  # and of sessions there are at most twice as many as are begun

SETUP = """
import random, os, signal, ctypes
number, items, dice = 0, [], random.Random(11)
def counting():
    n = 0
    while True:
        n += 1
        yield n
ticks = counting()
"""
READ = "(number, len(items), next(ticks), dice.randrange(1000))"
CRASHES = {"os._exit(7)": "exit", "os.kill(os.getpid(), 9)": "crashed", "os.abort()": "crashed",
           "ctypes.string_at(0)": "crashed", "os.kill(os.getpid(), 15)": "crashed",
           "signal.signal(2, signal.SIG_IGN)\nwhile True: pass": "timeout"}


@dataclasses.dataclass(frozen=True)
class State:
    number: int = 0
    items: int = 0
    ticks: int = 0
    draws: int = 0

    def expected(self):
        """What READ shows now."""
        dice = random.Random(11)
        drawn = [dice.randrange(1000) for _ in range(self.draws + 1)]
        return repr((self.number, self.items, self.ticks + 1, drawn[-1]))

    def after_read(self):
        return dataclasses.replace(self, ticks=self.ticks + 1, draws=self.draws + 1)


class Model:
    """One session. history: (run id, state after it), oldest first; the first one is the set-up."""

    def __init__(self, name, rollback):
        self.name, self.rollback = name, rollback
        self.history, self.checkpoints = [], {}
        self.files = 0
        self.parent, self.depth = None, 0

    def fork(self, name, rollback):
        fork = Model(name, rollback)
        fork.history = [(None, self.state)]  # what it began with is no run of its own
        fork.files, fork.parent, fork.depth = self.files, self.name, self.depth + 1
        return fork

    @property
    def state(self):
        return self.history[-1][1]

    def ran(self, outcome, state):
        self.history.append((outcome.run_id, state))

    def lost(self, runs):
        """The session went back; these finished runs are undone."""
        if not runs:
            return
        tail = [run for run, _ in self.history[-len(runs):]]
        assert tail == runs, f"lost {runs}, which are not the latest runs {tail}"
        del self.history[-len(runs):]

    def became_fresh(self):
        """What a fork began with cannot be had again."""
        if [run for run, _ in self.history] == [None]:
            self.history.clear()

    @property
    def is_fresh(self):
        return not self.history or self.state is None


class RandomBranches(ManagerCase):
    config = SMALL + "[run]\ngrace_s = 0.05\n[client]\nmax_crashes_per_minute_per_uid = 0\nframes_per_s = 0\n"

    def setUp(self):
        super().setUp()
        self.client = BranchClient(self.manager.socket)
        self.addCleanup(self.client.close)
        self.random = random.Random(SEED)
        self.models, self.made, self.counts, self.steps = [], 0, {}, []

    def test_sessions_hold_what_a_model_of_them_holds(self):
        print(f"seed {SEED}, {STEPS} steps", file=sys.stderr)
        step = 0
        try:
            for step in range(STEPS):
                self.take_step()
        except BaseException:
            print(f"failed at step {step} of seed {SEED}; the latest steps: {self.steps[-12:]}", file=sys.stderr)
            print(self.manager.log(), file=sys.stderr)
            for model in list(self.models):
                self.close(model)
            raise
        for model in list(self.models):
            self.close(model)
        print(f"{STEPS} steps, 0 differences: {dict(sorted(self.counts.items()))}", file=sys.stderr)

    def take_step(self):
        if not self.models or (len(self.models) < SESSIONS and self.random.random() < 0.02):
            return self.open()
        model = self.random.choice(self.models)
        action = self.random.choices(
            [self.write, self.read, self.crash, self.undo, self.checkpoint, self.restore, self.drop, self.kill,
             self.fork, self.adopt, self.reset, self.close], weights=[30, 20, 18, 8, 5, 6, 2, 4, 3, 1, 1, 2])[0]
        self.counts[action.__name__] = self.counts.get(action.__name__, 0) + 1
        self.steps.append((model.name, model.rollback, action.__name__, [run and run[-12:] for run, _ in model.history[-3:]]))
        action(model)

    # ---- steps

    def open(self):
        self.made += 1
        rollback = self.random.choice(["always", "always", "idle", "off"])
        model = Model(self.client.new(f"r{self.made}", rollback=rollback), rollback)
        self.models.append(model)
        self.set_up(model)

    def set_up(self, model):
        outcome = self.client.run(model.name, SETUP)
        self.assertEqual(outcome.verdict, "ok", outcome)
        model.ran(outcome, State())

    def write(self, model):
        amount = self.random.randrange(1, 9)
        code = f"number += {amount}; items.append(number)"
        if self.random.random() < 0.2:
            code += f"\nopen('f{model.files}', 'w').write('x')"
            model.files += 1
        outcome = self.client.run(model.name, code, rollback=self.random.choice(["", "", "always"]))
        self.settle(model, outcome)
        self.assertEqual(outcome.verdict, "ok", outcome)
        state = model.state
        model.ran(outcome, dataclasses.replace(state, number=state.number + amount, items=state.items + 1))

    def read(self, model):
        outcome = self.client.run(model.name, READ)
        self.settle(model, outcome)
        self.assertEqual(outcome.verdict, "ok", outcome)
        self.assertEqual(outcome.result, model.state.expected(), outcome)
        model.ran(outcome, model.state.after_read())
        if self.random.random() < 0.1:
            files = self.client.run(model.name, "len(os.listdir('.'))")
            self.assertEqual(files.result, str(model.files), files)
            model.ran(files, model.state)

    def crash(self, model):
        code, verdict = self.random.choice(list(CRASHES.items()))
        timeout = 150 if verdict == "timeout" else 30000
        spoil = "number = -1; items.clear(); next(ticks); dice.seed(0)\n"
        outcome = self.client.run(model.name, spoil + code, timeout_ms=timeout,
                                  rollback=self.random.choice(["", "", "always"]))
        self.assertEqual(outcome.verdict, verdict, outcome)
        self.assertIn(outcome.state, ("rolled_back", "fresh"), outcome)
        if model.rollback == "always":
            self.assertEqual(outcome.rollback.get("lost_runs", []), [], outcome)
        model.lost(outcome.rollback.get("lost_runs", []))
        if outcome.state == "fresh":
            model.became_fresh()
        self.assertEqual(outcome.state == "fresh", not model.history, outcome)
        self.renew(model)

    def undo(self, model):
        runs = self.random.choice([1, 1, 2, 3, 5])
        try:
            back = self.client.session("undo", model.name, count=runs)
        except Refused as refusal:
            self.assertIn(refusal.code, ("not_found", "invalid"), refusal)
            return
        self.assertEqual(len(back["lost_runs"]), runs, back)
        model.lost(back["lost_runs"])
        self.renew(model)

    def checkpoint(self, model):
        name = f"c{self.random.randrange(6)}"
        try:
            self.client.session("checkpoint", model.name, checkpoint=name)
        except Refused as refusal:
            self.assertEqual(refusal.code, "conflict", refusal)
            self.assertIn(name, model.checkpoints)
            return
        self.assertNotIn(name, model.checkpoints)
        model.checkpoints[name] = list(model.history)

    def restore(self, model):
        name = f"c{self.random.randrange(6)}"
        try:
            self.client.session("restore", model.name, checkpoint=name)
        except Refused as refusal:
            self.assertEqual(refusal.code, "not_found", refusal)
            self.assertNotIn(name, model.checkpoints)
            return
        model.history = list(model.checkpoints[name])

    def drop(self, model):
        name = f"c{self.random.randrange(6)}"
        try:
            self.client.session("checkpoint_rm", model.name, checkpoint=name)
        except Refused:
            self.assertNotIn(name, model.checkpoints)
            return
        del model.checkpoints[name]

    def kill(self, model):
        """From outside, between runs. What it went back to is in the next verdict, which settle() looks at."""
        wait_for(lambda: self.client.info(model.name)["state"] != "starting", 20, "an awake fork")
        pid = self.client.info(model.name)["worker_pid"]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.client.info(model.name)["worker_pid"] not in (0, pid), 20, "the next worker")
        outcome = self.client.run(model.name, "pass")
        self.settle(model, outcome)
        self.renew_or_count(model, outcome)

    def fork(self, model):
        if len(self.models) >= 2 * SESSIONS or model.depth >= FORK_DEPTH or model.is_fresh:
            return
        self.made += 1
        count, rollback = self.random.choice([1, 1, 2]), self.random.choice(["always", "idle", "off"])
        forks = self.client.session("fork", f"f{self.made}", source=model.name, count=count, rollback=rollback)["forks"]
        self.assertEqual(len(forks), count)
        self.models += [model.fork(name, rollback) for name in forks]

    def adopt(self, model):
        """Of a line of forks one goes on in the place of the session that it came from."""
        place = next((other for other in self.models if other.name == model.parent), None)
        if place is None:
            return
        self.client.session("adopt", place.name, source=model.name)
        self.models.remove(place)
        for other in self.models:
            if other.parent == model.name:
                other.parent = place.name
        model.name, model.parent = place.name, place.parent

    def reset(self, model):
        self.client.session("reset", model.name)
        model.history, model.checkpoints = [], {}
        self.renew(model)

    def close(self, model):
        self.client.session("rm", model.name)
        self.models.remove(model)

    # ---- after them

    def settle(self, model, outcome):
        if outcome.rollback is None:
            return
        model.lost(outcome.rollback.get("lost_runs", []))
        if not outcome.rollback.get("snapshot"):
            model.became_fresh()

    def renew_or_count(self, model, outcome):
        if model.is_fresh:
            model.history.append((outcome.run_id, None))  # it ran `pass` in a fresh namespace
            self.set_up(model)
        else:
            model.ran(outcome, model.state)

    def renew(self, model):
        if model.is_fresh:
            self.set_up(model)


if __name__ == "__main__":
    unittest.main()
