"""Runs one module of CPython's own test suite and prints what became of each of its tests.

The same file runs bare and inside a capsule: `driver.py MODULE`. The last line of standard output is
`RESULT {"ran": N, "not_ok": {"test id": "failed" | "error" | "skipped" | ...}}`; what the tests print goes elsewhere.
"""
import json
import os
import sys
import unittest


class Recorder(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.not_ok = {}
        self.details = {}

    def _note(self, test, word, detail=""):
        self.not_ok[test.id()] = word
        self.details[test.id()] = detail[-600:]

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._note(test, "failed", self.failures[-1][1])

    def addError(self, test, error):
        super().addError(test, error)
        self._note(test, "error", self.errors[-1][1])

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._note(test, "skipped", reason)

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._note(test, "unexpected success")

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self._note(test, "failed", str(error[1]))


def load(name):
    from test import support

    support.use_resources = []  # none that needs the network, much time or much disk
    try:
        return unittest.defaultTestLoader.loadTestsFromName(f"test.{name}")
    except unittest.SkipTest as reason:
        return str(reason)


def main():
    name = sys.argv[1]
    # What a script's namespace holds is not the tests' business: some of them look for themselves in sys.modules.
    result = Recorder()
    answer = os.dup(1)
    os.dup2(2, 1)
    suite = load(name)
    if isinstance(suite, str):
        report = {"ran": 0, "not_ok": {name: "skipped"}, "details": {name: suite}}
    else:
        suite.run(result)
        report = {"ran": result.testsRun, "not_ok": result.not_ok, "details": result.details}
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.write(answer, b"\nRESULT " + json.dumps(report).encode() + b"\n")


if __name__ == "__main__":
    main()
