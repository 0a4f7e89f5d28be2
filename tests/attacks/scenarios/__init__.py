"""Attacks that need more than one program: hostile clients, races, sweeps over tables, many spawns.

Each is a function `act(arena)` that asserts what must hold; the oracles run after it as after a program. Outcomes it
returns are searched for canaries.
"""
import dataclasses
import importlib
import pathlib
import typing

_found = []


@dataclasses.dataclass
class Scenario:
    id: str
    name: str
    title: str
    act: typing.Callable
    is_full_only: bool

    def run(self, arena):
        try:
            outcomes = self.act(arena) or []
        except AssertionError as error:
            return [], [("I", str(error)[:1500])]
        return outcomes, []


def scenario(identity, title, full_only=False):
    def register(act):
        _found.append(Scenario(identity, act.__name__, title, act, full_only))
        return act

    return register


def all_scenarios():
    for path in sorted(pathlib.Path(__file__).parent.glob("[a-z]*.py")):
        importlib.import_module(f"scenarios.{path.stem}")
    return list(_found)
