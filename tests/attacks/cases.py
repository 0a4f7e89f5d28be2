"""The attacking programs: one file each below programs/, with a header that says what is expected.

The header is the file's doc string: `ID: what it tries`, then lines of `key: value`:
  by         the layer that stops it, for people
  verdict    words of protocol/verdict.h that are right, separated by spaces (default: ok)
  stopped    errors that are right; every STOPPED line must show one of them, and there must be one
  signal     the signal in the evidence
  timeout_s  wall clock limit of the run (default 30)
  size       two numbers for SIZE: in the short form, in the full form
  only       full: left out of the short form
  policy     output policy of the run
  input      true: the client sends standard input
  output_bytes  output limit of the run
  processes, open_files, workspace_bytes, workspace_files  what the run may have less of than its profile
  profile    the profile it runs in (default: base); loopback has a network of its own, alone may not fork
  bounded_by  the one layer that bounds it: where that is off, nothing does, and the case is left out by name
  payloads   how many there are for payload(): the program runs once for each, since a link ends at the first bad one
  needs      layers without which the act would leave this machine: without them it is not tried, and counts as through
"""
import ast
import dataclasses
import json
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
PRELUDE = (HERE / "prelude.py").read_text()
LINK_PRELUDE = (HERE / "link_prelude.py").read_text()
HEAD = re.compile(r"([A-Z]\d\d[a-z]?): (.+)")
TIGHTENED = ("processes", "open_files", "workspace_bytes", "workspace_files")
KEYS = {"by", "verdict", "stopped", "signal", "timeout_s", "size", "only", "policy", "input", "output_bytes", *TIGHTENED, "profile", "needs", "bounded_by", "payloads"}


@dataclasses.dataclass
class Program:
    id: str
    name: str
    title: str
    source: str
    keys: dict
    prelude: str
    number: int = 0  # of its payload

    @property
    def verdicts(self):
        return self.keys.get("verdict", "ok").split()

    @property
    def stopped(self):
        return self.keys.get("stopped", "").split()

    @property
    def timeout_s(self):
        return float(self.keys.get("timeout_s", 30))

    @property
    def is_full_only(self):
        return self.keys.get("only") == "full"

    def code(self, facts, short):
        sizes = self.keys.get("size", "1 1").split()
        values = {**facts, "short": short, "payload": self.number, "payloads": int(self.keys.get("payloads", 1))}
        return (f"{self.prelude}\nFACTS = json.loads({json.dumps(values)!r})\nSIZE = {int(sizes[0 if short else 1])}\n"
                f"{self.source}")


def read_programs(path):
    source = path.read_text()
    header = (ast.get_docstring(ast.parse(source)) or "").splitlines()
    head = HEAD.fullmatch(header[0]) if header else None
    if not head:
        raise ValueError(f"{path}: the first line of the doc string has to be `ID: what it tries`")
    keys = {}
    for line in filter(None, map(str.strip, header[1:])):
        key, _, value = line.partition(": ")
        if key not in KEYS:
            raise ValueError(f"{path}: no such key: {key}")
        keys[key] = value.strip()
    prelude = PRELUDE + (LINK_PRELUDE if path.parent.name == "link" else "")
    if "payloads" not in keys:
        return [Program(head[1], path.stem, head[2], source, keys, prelude)]
    return [Program(head[1], f"{path.stem}-{number + 1}", head[2], source, keys, prelude, number)
            for number in range(int(keys["payloads"]))]


def programs():
    found = [each for path in sorted((HERE / "programs").rglob("*.py")) for each in read_programs(path)]
    names = [f"{each.id} {each.name}" for each in found]
    assert len(set(names)) == len(names), "a case twice"
    return found
