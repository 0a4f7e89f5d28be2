#!/usr/bin/python3
"""Builds Capsule and runs its tests in steps, one line each; called by scripts/test.

Each step that builds has a directory of its own, so that nothing is compiled twice when nothing changed:
build (g++), build-asan, build-tsan and build-fuzz (clang).
"""
import argparse
import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHECKS = ["check-includes", "check-file-length", "check-map", "check-paths", "check-labels", "check-systemd"]
BINARIES = ["cli/capsule", "manager/capsule-manager", "worker/capsule-worker"]
SHOWN_LINES = 60  # of the output of something that failed
SHOWN_REPORTS = 5
FUZZ_SECONDS = 20
# The part of the system tests that a full run repeats with sanitizers; --whole repeats them all.
ASAN_AREAS = ["bad_frames", "misbehaving", "run", "session", "rollback", "fork"]
TSAN_AREAS = ["run", "session", "fork"]
# Left out by name. bench_smoke: sanitised figures say nothing, and the system tests go the same ways. used_up: a
# sanitised worker's own memory is a part of what its program may use, and its malloc fails otherwise.
NOT_SANITIZED = ["bench_smoke", "used_up"]

# How the frameworks sum up: Catch2 (all passed; some failed) and Python's unittest.
CATCH_PASSED = re.compile(r"^All tests passed \(.* in (\d+) test cases?\)", re.M)
CATCH_MIXED = re.compile(r"^test cases:\s+(\d+) \|(.*)$", re.M)
CATCH_FAILED = re.compile(r"(\d+) failed")
# Not the warning that an allocation failed: programs ask for too much on purpose.
SANITIZER_REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|ERROR: Can't open file")
UNITTEST_RAN = re.compile(r"^Ran (\d+) tests? in ", re.M)
TRIED = re.compile(r"^(\d+) tried, (\d+) through$", re.M)
COMPARED = re.compile(r"^(\d+) modules, \d+ tests, \d+ differ, (\d+) unexplained$", re.M)
UNITTEST_PARTS = re.compile(r"((?<!expected )failures|errors|skipped|unexpected successes)=(\d+)")


@dataclasses.dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


def count_cases(output, succeeded):
    """Cases in the output of one test program; the program itself is one case when it does not say."""
    counts = Counts()
    if match := CATCH_PASSED.search(output):
        counts.passed = int(match[1])
    elif match := CATCH_MIXED.search(output):
        failed = CATCH_FAILED.search(match[2])
        counts.failed = int(failed[1]) if failed else 0
        counts.passed = int(match[1]) - counts.failed
    elif match := TRIED.search(output) or COMPARED.search(output):
        counts.failed = int(match[2])
        counts.passed = max(0, int(match[1]) - counts.failed)
    elif runs := UNITTEST_RAN.findall(output):
        parts = {}
        for name, number in UNITTEST_PARTS.findall(output):
            parts[name] = parts.get(name, 0) + int(number)
        counts.skipped = parts.get("skipped", 0)
        counts.failed = sum(parts.values()) - counts.skipped
        counts.passed = sum(map(int, runs)) - counts.failed - counts.skipped
    elif succeeded:
        counts.passed = 1
    if not succeeded and counts.failed == 0:
        counts.failed = 1  # died, timed out, or failed without a word
    return counts


class Runner:
    def __init__(self):
        self.total = Counts()

    def report(self, step, counts, started, note=""):
        self.total.add(counts)
        word = "FAILED" if counts.failed else "ok"
        skipped = f", {counts.skipped} skipped" if counts.skipped else ""
        print(f"{step:<24} {word:<7} {counts.passed} passed, {counts.failed} failed{skipped}"
              f"  [{time.monotonic() - started:.1f} s]{note}", flush=True)

    def command(self, arguments, env=None):
        """Runs it quietly; (succeeded, output)."""
        done = subprocess.run(arguments, cwd=ROOT, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        return done.returncode == 0, done.stdout

    def setup(self, directory, options=(), compiler=None):
        """Makes the build directory, or brings its list of targets up to date."""
        env = {"CXX": compiler} if compiler else None
        arguments = ["meson", "setup", directory, *options]
        if (ROOT / directory / "build.ninja").exists():
            arguments = ["ninja", "-C", directory, "build.ninja"]
        succeeded, output = self.command(arguments, env)
        if not succeeded:
            show(output)
        return succeeded

    def build(self, step, directory, targets=(), options=(), compiler=None):
        started = time.monotonic()
        succeeded = self.setup(directory, options, compiler)
        if succeeded:
            succeeded, output = self.command(["ninja", "-C", directory, *targets])
            if not succeeded:
                show(output)
        self.report(step, Counts(passed=int(succeeded), failed=int(not succeeded)), started)
        return succeeded

    def meson_tests(self, step, directory, names, extra=(), env=None):
        """The named tests of a build directory, each program's cases counted one by one."""
        started = time.monotonic()
        if not names:
            return
        logs = ROOT / directory / "meson-logs"
        for old in logs.glob("testlog*.json"):  # a wrapper's name is part of the file's
            old.unlink()
        succeeded, output = self.command(["meson", "test", "-C", directory, "--no-rebuild", *extra, *names], env)
        counts = Counts()
        results = [result for log in logs.glob("testlog*.json") for result in read_log(log)]
        for result in results:
            counts.add(self.one_result(result))
        if counts.failed == 0 and (not succeeded or len(results) < len(names)):
            show(output)
            counts.failed = 1
        self.report(step, counts, started)

    def one_result(self, result):
        if result["result"] == "SKIP":
            print(f"  skipped: {result['name']}: {last_line(result)}")
            return Counts(skipped=1)
        succeeded = result["result"] in ("OK", "EXPECTEDFAIL")
        output = result.get("stdout", "") + "\n" + result.get("stderr", "")
        counts = count_cases(output, succeeded)
        if counts.failed:
            print(f"  {result['name']}: {result['result']}")
            show(output)
        return counts


def read_log(path):
    return [json.loads(line) for line in path.read_text(errors="replace").splitlines() if line.strip()]


def last_line(result):
    lines = (result.get("stdout", "") + result.get("stderr", "")).strip().splitlines()
    return lines[-1] if lines else "no reason given"


def show(output):
    lines = output.rstrip().splitlines()
    if len(lines) > SHOWN_LINES:
        print(f"  ... {len(lines) - SHOWN_LINES} lines before")
    for line in lines[-SHOWN_LINES:]:
        print("  " + line)


def tests_of(directory, suite):
    """(name, program, targets to build) of each test of a suite."""
    done = subprocess.run(["meson", "introspect", "--tests", "--targets", directory], cwd=ROOT, check=True,
                          stdout=subprocess.PIPE, text=True)
    document = json.loads(done.stdout)
    files = {target["id"]: target["filename"] for target in document["targets"]}
    found = []
    for test in document["tests"]:
        if not any(word.split(":")[-1] == suite for word in test["suite"]):
            continue
        built = [os.path.relpath(name, ROOT / directory) for each in test["depends"] for name in files[each]]
        found.append((test["name"], test["cmd"][0], built))
    return found


def suite_steps(runner, suites):
    for suite in suites:
        names = [name for name, _, _ in tests_of("build", suite)]
        runner.meson_tests(suite, "build", names)


def sanitizer_step(runner, kind, sanitizers, wanted, areas, env, wrapper=(), programs=BINARIES):
    """Clang's build with sanitizers: the C++ unit tests whose program matches `wanted`, then the system tests `areas`."""
    directory = f"build-{kind}"
    options = ["--buildtype=debug", f"-Db_sanitize={sanitizers}", "-Db_lundef=false"]
    if not runner.setup(directory, options, "clang++-14"):
        return runner.report(f"{kind} build", Counts(failed=1), time.monotonic())
    chosen = [test for test in tests_of(directory, "unit") if wanted.search(test[1])]
    targets = sorted({target for _, _, built in chosen for target in built}) + programs
    if not runner.build(f"{kind} build", directory, targets):
        return
    runner.meson_tests(f"{kind} unit", directory, [name for name, _, _ in chosen], wrapper, env)
    if programs != BINARIES and not borrow_worker(runner, directory):
        return
    reports = ROOT / directory / "sanitizer-reports"
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir()
    reports.chmod(0o1777)  # a worker that has its user of its own writes here, too
    # Into files: a program's standard error may be a log, a pipe that nobody reads to its end, or part of a test.
    logged = {name: f"{value}:log_path='{reports}/program'" for name, value in env.items()}
    names = [name for name, _, _ in tests_of(directory, "system")
             if name not in NOT_SANITIZED and (not areas or name in areas)]
    runner.meson_tests(f"{kind} system", directory, names, ("--timeout-multiplier", "4", *wrapper), logged)
    report_step(runner, f"{kind} reports", reports)


def report_step(runner, step, reports):
    """A report fails the step even where no test noticed, as in a worker that was idle."""
    started = time.monotonic()
    found = [text for path in sorted(reports.iterdir()) if SANITIZER_REPORT.search(text := path.read_text(errors="replace"))]
    for text in found[:SHOWN_REPORTS]:
        show(text)
    runner.report(step, Counts(passed=int(not found), failed=len(found)), started)


def borrow_worker(runner, directory):
    """The plain build's worker, for a build that has none of its own."""
    if not runner.build("build", "build", BINARIES[-1:]):
        return False
    place = ROOT / directory / BINARIES[-1]
    place.parent.mkdir(exist_ok=True)
    shutil.copy2(ROOT / "build" / BINARIES[-1], place)
    return True


def asan_step(runner, whole):
    # The worker is sanitised too, without its leak check (worker/sanitizer_options.cc says why).
    sanitizer_step(runner, "asan", "address,undefined", re.compile(r"/tests/unit/"), () if whole else ASAN_AREAS,
                   {"ASAN_OPTIONS": "abort_on_error=1:detect_stack_use_after_return=1",
                    "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:print_stacktrace=1"})


def tsan_step(runner, whole):
    # ThreadSanitizer wants its shadow at fixed addresses; without address randomisation nothing else is there.
    plain = subprocess.run(["setarch", "-R", "true"], stderr=subprocess.DEVNULL).returncode == 0
    # The manager and the command only: a zygote must have one thread, and ThreadSanitizer adds its own.
    sanitizer_step(runner, "tsan", "thread", re.compile(r"/tests/unit/(manager|observe|storage)/"), () if whole else TSAN_AREAS,
                   {"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"},
                   ("--wrapper", "setarch -R") if plain else (), BINARIES[:-1])


def fuzz_step(runner):
    options = ["--buildtype=debug", "-Dfuzz=true"]
    if not runner.setup("build-fuzz", options, "clang++-14"):
        return runner.report("fuzz build", Counts(failed=1), time.monotonic())
    fuzzers = tests_of("build-fuzz", "fuzz")
    targets = [target for _, _, built in fuzzers for target in built]
    if runner.build("fuzz build", "build-fuzz", targets):
        runner.meson_tests(f"fuzz ({FUZZ_SECONDS} s)", "build-fuzz", [name for name, _, _ in fuzzers])


def check_step(runner):
    for check in CHECKS:
        started = time.monotonic()
        succeeded, output = runner.command([f"scripts/{check}"])
        if not succeeded:
            show(output)
        runner.report(check, Counts(passed=int(succeeded), failed=int(not succeeded)), started)


STEPS = {
    "checks": lambda runner, whole: check_step(runner),
    "unit": lambda runner, whole: suite_steps(runner, ["unit", "golden"]),
    "system": lambda runner, whole: suite_steps(runner, ["system"]),
    "attacks": lambda runner, whole: suite_steps(runner, ["attacks"]),
    "asan": asan_step,
    "tsan": tsan_step,
    "fuzz": lambda runner, whole: fuzz_step(runner),
}
QUICK = ["unit", "system"]
NEED_BUILD = {"checks", "unit", "system", "attacks"}


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/test", description="Installs what is missing, builds, and runs all tests.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Steps: " + ", ".join(STEPS) + ".\n\nExamples:\n  scripts/test\n  scripts/test --quick\n"
               "  scripts/test --only asan --only tsan --whole")
    parser.add_argument("--quick", action="store_true", help="the unit and system tests only")
    parser.add_argument("--only", action="append", choices=list(STEPS), metavar="STEP", help="this step; repeatable")
    parser.add_argument("--whole", action="store_true", help="all system tests in asan and tsan, not only a part")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    steps = arguments.only or (QUICK if arguments.quick else list(STEPS))
    os.environ["CI"] = "true"  # no colours, no prompts, no terminal tricks in what is started
    os.environ["PATH"] = "/usr/bin:/bin:/usr/sbin:/sbin:" + os.environ.get("PATH", "")
    runner = Runner()
    built = not NEED_BUILD.intersection(steps) or runner.build("build", "build")
    for step in steps:
        if built or step not in NEED_BUILD or step == "checks":
            STEPS[step](runner, arguments.whole)
    if runner.total.skipped:
        print(f"{runner.total.skipped} skipped")
    print(f"{runner.total.passed} passed, {runner.total.failed} failed")
    return 1 if runner.total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
