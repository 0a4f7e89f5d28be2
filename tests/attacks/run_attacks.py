#!/usr/bin/python3
"""Runs the attacks against a real manager with two neighbours under load: "N tried, 0 through".

Each case is followed by all seven oracles (oracles.py). The exit status is 0 when nothing went through. CAPSULE_BUILD
names the build directory. A case that fails can be repeated alone with --filter and the same --seed.
"""
import argparse
import json
import os
import pathlib
import platform
import random
import re
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]

import cases  # noqa: E402
import scenarios  # noqa: E402
from arena import Arena, commit  # noqa: E402
from neighbours import p99_problem, percentile, slowed_p99  # noqa: E402
from oracles import Oracles, judge  # noqa: E402

BATCH = 60  # cases against one manager
QUIET_S = 1.0  # after them; another second was measured before
AGAIN_S = 5.0  # where the neighbours seem to be slowed


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--filter", default="", metavar="RX", help="only cases whose `ID name` matches")
    parser.add_argument("--short", action="store_true", help="small sizes, and without the cases that take long")
    parser.add_argument("--seed", type=int, default=None, help="order of the cases; default: the time")
    parser.add_argument("--json", action="store_true", help="one document instead of lines")
    parser.add_argument("--list", action="store_true", help="the cases, without running them")
    parser.add_argument("--verbose", action="store_true", help="a line for each case, and what came back of it")
    return parser.parse_args()


def chosen(arguments):
    wanted = re.compile(arguments.filter)
    found = [case for case in cases.programs() + scenarios.all_scenarios()
             if wanted.search(f"{case.id} {case.name}") and not (arguments.short and case.is_full_only)]
    random.Random(arguments.seed).shuffle(found)
    return found


def run_case(arena, oracles, case):
    """(problems, seconds, outcome or None)"""
    oracles.begin()
    started = time.monotonic()
    if isinstance(case, cases.Program):
        if missing := arena.missing_layers(case):
            return [("X", f"not tried: {', '.join(sorted(missing))} would have to keep it on this machine")], 0.0, []
        outcome = arena.run_program(case)
        outcomes, problems = [outcome], judge(case, outcome)
    else:
        outcomes, problems = case.run(arena)
    problems += oracles.check(outcomes)
    return problems, time.monotonic() - started, outcomes


def run_batch(batch, arguments, report):
    """Against one manager; gives back what is left to do once an attack has harmed it or a neighbour."""
    arena = Arena(arguments.short)
    try:
        report.layers = arena.layers
        oracles = Oracles(arena)
        for done, case in enumerate(batch, 1):
            if isinstance(case, cases.Program) and arena.missing_layers(case, "bounded_by"):
                report.left_out.append(f"{case.id} {case.name}: only {case.keys['bounded_by']} bounds it")
                continue
            try:
                problems, seconds, outcomes = run_case(arena, oracles, case)
            except (AssertionError, OSError, ValueError) as error:
                problems, seconds, outcomes = [("C", f"{type(error).__name__}: {error}")], 0.0, []
            report.add(case, problems, seconds, outcomes, oracles.last_times)
            if any(letter in "CNL" for letter, _ in problems):
                arena.kill()
                return batch[done:]
        report.judge_neighbours(arena, oracles)
    except BaseException:
        arena.kill()
        raise
    arena.close()
    return []


class Report:
    def __init__(self, arguments):
        self.arguments = arguments
        self.results = []
        self.layers = []
        self.left_out = []
        self.slowest = 0.0
        self.times, self.quiet_times = [], []  # of the neighbours' cells, all managers together

    def judge_neighbours(self, arena, oracles):
        """Once a manager's cases are over."""
        self.slowest = max(self.slowest, oracles.slowest)
        self.times += oracles.times
        arena.neighbours.measure_quiet(QUIET_S)
        if self.p99_problem(self.quiet_times + arena.neighbours.quiet_times):
            arena.neighbours.measure_quiet(AGAIN_S)
        self.quiet_times += arena.neighbours.quiet_times

    def add(self, case, problems, seconds, outcomes, times):
        self.results.append({"id": case.id, "name": case.name, "seconds": round(seconds, 2),
                             "neighbours_p99_s": round(percentile(times, 0.99), 4) if times else None,
                             "problems": [f"{letter}: {text}" for letter, text in problems]})
        if self.arguments.json:
            return
        if self.arguments.verbose or problems:
            word = "THROUGH" if problems else "ok"
            print(f"{case.id:<5} {case.name:<36} {word:<8} [{seconds:.2f} s]", flush=True)
        for letter, text in problems:
            print(f"      {letter}: {text[:200]}")
        if self.arguments.verbose or problems:
            for outcome in outcomes[:3]:
                print(f"      {str(outcome)[:800]}")

    @property
    def through(self):
        return sum(bool(result["problems"]) for result in self.results)

    def tier(self):
        return {layer["name"]: layer["state"] for layer in self.layers}

    @property
    def has_failed(self):
        return bool(self.through or not self.results or self.p99_problem(self.quiet_times))

    def p99_problem(self, quiet_times):
        return p99_problem(self.times, quiet_times, "on" if self.tier().get("cgroup") == "on" else "off")

    def summary(self):
        return {"v": 1, "tried": len(self.results), "through": self.through, "kernel": platform.release(),
                "uid": os.getuid(), "layers": self.tier(), "seed": self.arguments.seed, "commit": commit(),
                "short": self.arguments.short, "left_out": self.left_out, "neighbours_slowed_at_most": round(self.slowest, 2),
                "neighbours_slowed_p99": round(slowed_p99(self.times, self.quiet_times), 2),
                "neighbours_problem": self.p99_problem(self.quiet_times)}

    def close(self):
        summary = self.summary()
        if self.arguments.json:
            print(json.dumps({**summary, "cases": self.results}))
            return
        for each in self.left_out:
            print(f"left out: {each}, and that is off here")
        off = [f"{name} {state}" for name, state in summary["layers"].items() if state != "on"]
        print(f"kernel {summary['kernel']}, uid {summary['uid']}, layers: "
              f"{'all on' if not off else ', '.join(off)}, seed {summary['seed']}, commit {summary['commit']}; "
              f"a neighbour's median cell took at most {summary['neighbours_slowed_at_most']} times its quiet time, "
              f"the 99th percentile of all of them is {summary['neighbours_slowed_p99']} times the quiet one")
        if summary["neighbours_problem"]:
            print(f"SLOWED: {summary['neighbours_problem']}")
        print(f"{summary['tried']} tried, {summary['through']} through")


def main():
    arguments = parse_arguments()
    if arguments.seed is None:
        arguments.seed = int(time.time())
    found = chosen(arguments)
    if arguments.list:
        for case in sorted(found, key=lambda each: each.id):
            print(f"{case.id:<5} {case.name:<36} {case.title}")
        print(f"{len(found)} cases")
        return 0
    report = Report(arguments)
    try:
        while found:
            batch, found = found[:BATCH], found[BATCH:]
            found = run_batch(batch, arguments, report) + found
    finally:
        report.close()
    return 1 if report.has_failed else 0


if __name__ == "__main__":
    sys.exit(main())
