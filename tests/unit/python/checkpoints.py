"""Test support: a namespace, saved by one process and loaded by another."""
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest

from support import HERE, MODULES

# Each in a process of its own, whose __main__ is the session's namespace, as a worker's is.
_START = """
import json, sys, types
sys.path[:0] = sys.argv[1:3]
import _capsule_checkpoint, _capsule_restore
fd, program, options = int(sys.argv[3]), sys.argv[4], json.loads(sys.argv[5])
sys.argv = [""]
main = sys.modules["__main__"] = types.ModuleType("__main__")
"""
_SAVE = _START + """
exec(compile(program, "<cell 1>", "exec"), main.__dict__)
_capsule_checkpoint.save(main.__dict__, fd, **options)
"""
_LOAD = _START + """
print(json.dumps(_capsule_restore.load(fd, main.__dict__)), flush=True)
exec(compile(program, "<cell 2>", "exec"), main.__dict__)
"""


class Saved:
    def __init__(self, status, stream):
        self.status = status
        self.payload, self.at_work, self.metadata, self.records = b"", [], None, 0
        at = 0
        while at + 9 <= len(stream):
            kind, size = struct.unpack(">cQ", stream[at:at + 9])
            content = stream[at + 9:at + 9 + size]
            at += 9 + size
            if kind == b"D":
                self.payload += content
            elif kind == b"N":
                self.at_work.append(content.decode())
            else:
                assert kind == b"M" and at == len(stream), "the metadata is the last frame"
                self.metadata = json.loads(content)

    @property
    def left_out(self):
        return {each["name"]: each["reason"] for each in self.metadata["lists"]["left_out"]}

    @property
    def names(self):
        return {each["name"]: each for each in self.metadata["lists"]["names"]}


class CheckpointTest(unittest.TestCase):
    def process(self, code, fd, program, options, **more):
        environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
        arguments = [sys.executable, "-P", "-c", code, MODULES, HERE, str(fd), program, json.dumps(options)]
        return subprocess.run(arguments, pass_fds=(fd,), env=environment, stdout=subprocess.PIPE, text=True, timeout=100,
                              **more)

    def save(self, program, status=0, **options):
        with tempfile.TemporaryFile() as file:
            done = self.process(_SAVE, file.fileno(), program, options)
            if status is not None:
                self.assertEqual(done.returncode, status, done.stdout)
            file.seek(0)
            return Saved(done.returncode, file.read())

    def load(self, payload, program="", **more):
        with tempfile.TemporaryFile() as file:
            file.write(payload)
            file.seek(0)
            done = self.process(_LOAD, file.fileno(), program, {}, **more)
            self.assertEqual(done.returncode, 0)
            return json.loads(done.stdout.splitlines()[0])

    def check(self, program, then, **options):
        """Saves, loads, and runs `then` in the restored namespace; nothing may be left behind."""
        saved = self.save(program, **options)
        self.assertEqual(saved.left_out, {})
        report = self.load(saved.payload, then)
        self.assertEqual((report["failed"], report["incomplete"], report["whole"]), ([], [], True))
        return saved
