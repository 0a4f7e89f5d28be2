#!/usr/bin/python3
"""Runs modules of CPython's own test suite bare and inside capsules and compares what becomes of each test.

"N modules, M tests, D differ, U unexplained": a test that ends otherwise inside has to stand, with its reason, in
differences.toml; the exit status is 0 when all do. The bare run is an ordinary user's, as the inside one is. The suite
is Debian's package libpython3.11-testsuite. CAPSULE_BUILD names the build directory.
"""
import argparse
import fnmatch
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "system")]

import support  # noqa: E402
from wire import RawClient  # noqa: E402

PYTHON = "/usr/bin/python3"
SUITE = pathlib.Path("/usr/lib/python3.11/test")
NOBODY = 65534
MODULE_S = 180.0
CONFIG = """
default_profile = "base"
[profiles.data.pool]
warm = 0
capsules = 0
"""


def modules(short):
    """modules.txt: a name a line; those marked `short` belong to the short form too."""
    lines = [line.split("#")[0].split() for line in (HERE / "modules.txt").read_text().splitlines()]
    return [words[0] for words in lines if words and (not short or "short" in words[1:])]


def report_in(output):
    found = [line for line in output.decode(errors="replace").splitlines() if line.startswith("RESULT ")]
    return json.loads(found[-1][len("RESULT "):]) if found else None


def run_bare(module):
    with tempfile.TemporaryDirectory(prefix="capsule-compat-") as place:
        os.chmod(place, 0o777)
        user = [] if os.getuid() else ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        environment = {"HOME": place, "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TMPDIR": place}
        done = subprocess.run([*user, PYTHON, "-c", (HERE / "driver.py").read_text(), module], cwd=place, env=environment,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=MODULE_S)
        return report_in(done.stdout), f"status {done.returncode}: {done.stderr[-500:]!r}"


def run_inside(manager, module):
    with RawClient(manager.socket, MODULE_S + 30) as client:
        client.hello()
        run_id = client.execute((HERE / "driver.py").read_text(), arguments=[module], filename="driver.py",
                                timeout_ms=int(MODULE_S * 1000), output_policy="truncate")
        assert isinstance(run_id, str), run_id
        messages = client.messages_until_finished()
    output = b"".join(m["data"] for m in messages if m["type"] == "output" and m["stream"] == 1)
    errors = b"".join(m["data"] for m in messages if m["type"] == "output" and m["stream"] == 2)
    return report_in(output), f"verdict {messages[-1]['verdict']}: {errors[-500:]!r}"


def differences(module, bare, inside):
    """{test id: (bare, inside)} of all that ended otherwise."""
    if bare is None or inside is None:
        return {module: ("no report" if bare is None else "ran", "no report" if inside is None else "ran")}
    names = set(bare["not_ok"]) | set(inside["not_ok"])
    found = {name: (bare["not_ok"].get(name, "ok"), inside["not_ok"].get(name, "ok")) for name in names}
    found = {name: pair for name, pair in found.items() if pair[0] != pair[1]}
    if bare["ran"] != inside["ran"]:
        found[module] = (f"{bare['ran']} tests", f"{inside['ran']} tests")
    if bare["ran"] <= len(bare["not_ok"]):
        found[f"{module} bare"] = ("nothing ok", f"{inside['ran']} tests")  # then it compares nothing
    return found


def reason_for(known, name):
    return next((reason for pattern, reason in known.items() if fnmatch.fnmatchcase(name, pattern)), None)


def compare(manager, module, known, verbose):
    """(tests, differing, unexplained) of one module; prints what is unexplained."""
    started = time.monotonic()
    bare, bare_note = run_bare(module)
    inside, inside_note = run_inside(manager, module)
    found = differences(module, bare, inside)
    unexplained = {name: pair for name, pair in found.items() if reason_for(known, name) is None}
    if verbose or unexplained:
        print(f"{module:<28} {len(found)} differ, {len(unexplained)} unexplained [{time.monotonic() - started:.1f} s]", flush=True)
    for name, (one, other) in sorted(unexplained.items()):
        detail = (inside or {}).get("details", {}).get(name, inside_note if bare else bare_note)
        print(f"  {name}: {one} bare, {other} inside: {detail.strip()[-300:]}")
    return (bare or {"ran": 0})["ran"], len(found), len(unexplained)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="a few quick modules only")
    parser.add_argument("--verbose", action="store_true", help="a line for each module")
    parser.add_argument("modules", nargs="*", help="these modules instead of the list")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    # A shell's background job ignores it, and so would the programs that run without a sandbox.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not (SUITE / "test_int.py").exists():
        print(f"{SUITE} is not there: apt-get install libpython3.11-testsuite", file=sys.stderr)
        return 1
    known = tomllib.loads((HERE / "differences.toml").read_text())
    chosen = arguments.modules or modules(arguments.short)
    manager = support.Manager(CONFIG)
    try:
        manager.start()
        counts = [compare(manager, module, known.get(module, {}) | known.get("any", {}), arguments.verbose)
                  for module in chosen]
        manager.stop()
    finally:
        manager.kill()
    tests, differing, unexplained = (sum(column) for column in zip(*counts))
    print(f"{len(counts)} modules, {tests} tests, {differing} differ, {unexplained} unexplained")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
