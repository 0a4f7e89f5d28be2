"""Durable checkpoints: namespaces in files, that outlive their session and their manager."""
import hashlib
import os
import pathlib
import random
import struct
import sys
import unittest

from branches import BranchClient, Refused
from processes import wait_for
from support import SMALL, ManagerCase

# A worker that answers the manager's request to restore before it has: a `report` of the program's making on its link.
FORGE = r"""
import os, stat, struct, time
said = REPORT
def text(word): return bytes([0xa0 | len(word)]) + word
payload = (bytes([0x83]) + text(b"type") + text(b"report") + text(b"re") + bytes([1]) + text(b"json") + b"\xc6" +
           struct.pack(">I", len(said)) + said)
left = struct.pack(">I", len(payload)) + payload
for fd in range(3, 256):
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode): continue
    except OSError: continue
    while left:
        try: left = left[os.write(fd, left):]
        except BlockingIOError: time.sleep(0.01)
"""

FLIPS = int(os.environ.get("CAPSULE_FLIPS", "100"))


class CheckpointCase(ManagerCase):
    config = SMALL + "[checkpoints]\nstall_timeout_s = 0.5\n"

    def setUp(self):
        super().setUp()
        self.client = BranchClient(self.manager.socket)
        self.addCleanup(self.client.close)

    def new(self, **fields):
        session = self.client.new(**fields)
        self.addCleanup(self.client.session, "rm", session)
        return session

    def restore(self, name, **fields):
        answer = self.client.session("new", "", checkpoint=name, **fields)
        self.addCleanup(self.client.session, "rm", answer["session"])
        return answer

    def save(self, session, name, **fields):
        saved = self.client.session("checkpoint", session, checkpoint=name, durable=True, **fields)
        self.addCleanup(self.forget, name)
        return saved

    def forget(self, name):
        try:
            self.client.session("checkpoint_rm", checkpoint=name)
        except Refused:
            pass

    def file_of(self, name):
        return pathlib.Path(self.manager.directory, "state", "checkpoints", str(os.getuid()), name + ".ckpt")

    def value(self, session, expression):
        outcome = self.client.run(session, expression)
        self.assertEqual(outcome.verdict, "ok", outcome)
        return outcome.result


class Durable(CheckpointCase):
    def test_a_namespace_comes_back_with_its_sharing_functions_classes_and_random_state(self):
        session = self.new()
        self.client.run(session, "import random, json\nrandom.seed(5)\nx = [1]; y = {'x': x}\n"
                                 "def grow(n):\n  x.append(n)\n  return len(x)\n"
                                 "class Point:\n  def __init__(self, a): self.a = a\n  def far(self): return Point(self.a * 2)\n"
                                 "p = Point(x)")
        saved = self.save(session, "one")
        self.assertEqual((saved["names"], saved["names_left_out"]), (7, 0), saved)
        expected = self.value(session, "random.random()")
        copy = self.restore("one")
        self.assertEqual((copy["restored"]["names"], copy["restored"]["failed"]), (7, []), copy)
        code = "grow(9), y['x'] is x is p.a, type(p.far()) is Point, json.dumps(y), random.random()"
        self.assertEqual(self.value(copy["session"], code), f"(2, True, True, '{{\"x\": [1, 9]}}', {expected})")
        self.assertEqual(self.value(session, "x"), "[1]")

    def test_typed_dictionaries_and_their_heirs_come_back_as_what_they_were(self):
        session = self.new()
        self.client.run(session, "import typing\nclass Plain(typing.TypedDict):\n  a: int\n"
                                 "class Heir(Plain, total=False):\n  b: str\n"
                                 "Item = typing.TypeVar('Item')\nclass Box(typing.TypedDict, typing.Generic[Item]):\n  item: Item\n"
                                 "made = Heir(a=1)\ndef take(it: Heir) -> Plain: return it")
        facts = ("(made, sorted(Heir.__annotations__), sorted(Heir.__required_keys__), sorted(Heir.__optional_keys__), "
                 "Plain.__total__, Heir.__total__, typing.is_typeddict(Box), take.__annotations__['it'] is Heir, "
                 "Plain(a=2), sorted(Box.__annotations__), str(Box[int])[-8:])")
        before = self.value(session, facts)
        self.assertEqual(self.save(session, "typed")["left_out"], [])
        copy = self.restore("typed")
        self.assertEqual(copy["restored"]["failed"], [])
        self.assertEqual(self.value(copy["session"], facts), before)

    def test_names_that_cannot_be_saved_are_left_out_with_their_reasons(self):
        session = self.new()
        self.client.run(session, "import os, time, threading\ngood = 1\ngenerator = (i for i in 'abc')\nlock = threading.Lock()\n"
                                 "def evil(action):\n  class Evil:\n    def __reduce__(self): return action()\n  return Evil()\n"
                                 "raises = evil(lambda: 1 / 0)\nends = evil(lambda: os._exit(1))\n"
                                 "hangs = evil(lambda: time.sleep(100))\nrecurses = evil(lambda: evil(lambda: 1).__reduce__.__self__ and f())\n"
                                 "def f(): return f()\nforks = evil(lambda: os.fork() and time.sleep(100))\nlast = [2]")
        saved = self.save(session, "hostile")
        reasons = {row["name"]: row["reason"] for row in saved["left_out"]}
        self.assertEqual(set(reasons), {"generator", "lock", "raises", "ends", "hangs", "recurses", "forks"}, saved)
        self.assertIn("generator", reasons["generator"])
        self.assertIn("ZeroDivisionError", reasons["raises"])
        self.assertIn("ended the process", reasons["ends"])
        copy = self.restore("hostile")["session"]
        self.assertEqual(self.value(copy, "good, last"), "(1, [2])")
        self.assertEqual(self.value(session, "good, next(generator)"), "(1, 'a')")

    def test_what_a_name_shows_while_it_is_pickled_does_not_reach_the_sessions_link(self):
        session = self.new()
        self.client.run(session, "import capsule\nclass Shows:\n  def __reduce__(self):\n    display('hello'); return (int, ())\n"
                                 "class Counts:\n  def __reduce__(self):\n    capsule.metric('n', 1); return (int, ())\n"
                                 "shows, counts, last = Shows(), Counts(), [2]")
        reasons = {row["name"]: row["reason"] for row in self.save(session, "shown")["left_out"]}
        self.assertEqual(set(reasons), {"shows", "counts"})
        for reason in reasons.values():
            self.assertIn("send to the manager", reason)
        outcome = self.client.run(session, "last")
        self.assertEqual((outcome.verdict, outcome.state, outcome.result), ("ok", "kept", "[2]"), outcome)

    def test_a_name_that_stops_the_copy_or_never_leaves_c_is_left_out(self):
        session = self.new()
        self.client.run(session, "import collections, itertools, os, signal\nbefore = 1\n"
                                 "class Stops:\n  def __reduce__(self): os.kill(os.getpid(), signal.SIGSTOP)\n"
                                 "class Spins:\n  def __reduce__(self): collections.deque(itertools.repeat(0), maxlen=0)\n"
                                 "stops, spins, last = Stops(), Spins(), [2]")
        saved = self.save(session, "stuck")
        reasons = {row["name"]: row["reason"] for row in saved["left_out"]}
        self.assertEqual(set(reasons), {"stops", "spins"}, saved)
        self.assertIn("could not be interrupted", reasons["spins"])
        self.assertEqual(self.value(self.restore("stuck")["session"], "before, last"), "(1, [2])")

    def test_the_session_goes_on_while_its_checkpoint_is_written(self):
        session = self.new()
        self.client.run(session, "import time\nclass Slow:\n  def __reduce__(self):\n    time.sleep(0.4); return (Slow, ())\n"
                                 "slow = Slow(); x = 1")
        self.client.next_id += 1
        number = self.client.next_id
        self.client.send({"type": "session", "id": number, "operation": "checkpoint", "session": session,
                          "checkpoint": "slow", "durable": True})
        self.addCleanup(self.forget, "slow")
        run = self.client.start(session, "x = 2; x")
        order = []
        while len(order) < 2:
            message = self.client.receive()
            if message.get("run_id") == run and message["type"] == "finished":
                order.append("run")
            if message.get("re") == number:
                order.append(message["type"])
        self.assertEqual(order, ["run", "document"])
        self.assertEqual(self.value(self.restore("slow")["session"], "x"), "1")

    def test_a_checkpoint_of_a_session_that_is_removed_meanwhile_is_answered(self):
        session = self.client.new()
        self.client.run(session, "import time\nclass Slow:\n  def __reduce__(self):\n    time.sleep(0.4); return (Slow, ())\n"
                                 "slow = Slow()")
        self.client.next_id += 1
        number = self.client.next_id
        self.client.send({"type": "session", "id": number, "operation": "checkpoint", "session": session,
                          "checkpoint": "never", "durable": True})
        self.client.send({"type": "session", "id": number + 1, "operation": "rm", "session": session})
        self.client.next_id += 1
        self.client.socket.settimeout(10)
        answers = {}
        while len(answers) < 2:
            message = self.client.receive()
            answers[message.get("re")] = message
        self.assertEqual((answers[number]["type"], answers[number]["code"]), ("error", "closed"), answers)
        self.assertNotIn("never", str(self.client.session("checkpoint_ls")))

    def test_a_crash_of_a_restored_session_goes_back_to_what_was_restored(self):
        session = self.new()
        self.client.run(session, "x = 41")
        self.save(session, "base")
        copy = self.restore("base", rollback="idle")["session"]
        self.client.run(copy, "x += 1; import os; os._exit(1)")
        self.assertEqual(self.value(copy, "x"), "41")

    def test_metadata_is_read_without_loading(self):
        session = self.new()
        first = self.client.run(session, "def f(): pass\nclass C: pass\nimport math\nsecret = 'value-' + 'canary'")
        self.save(session, "meta", notes="my words", with_code=True)
        shown = self.client.session("checkpoint_show", checkpoint="meta")
        metadata = shown["metadata"]
        self.assertEqual((metadata["session"], metadata["notes"], metadata["runs"]), (session, "my words", 1))
        self.assertEqual([row["run_id"] for row in metadata["code"]], [first.run_id])
        said = metadata["namespace"]
        self.assertEqual((said["names"], said["functions"], said["classes"]), (4, 1, 1), said)
        self.assertIn("math", said["lists"]["modules"])
        self.assertNotIn("value-canary", str(shown))
        copy = self.restore("meta")["session"]
        self.save(copy, "child")
        self.assertEqual(self.client.session("checkpoint_show", checkpoint="child")["metadata"]["parent"], "meta")

    def test_a_checkpoint_of_a_fork_tells_what_led_to_its_original_too(self):
        session = self.new()
        self.client.run(session, "x = 1")
        self.save(session, "root-of-fork")
        copy = self.restore("root-of-fork")["session"]
        before = self.client.run(copy, "x = 2")
        fork, = self.client.session("fork", source=copy)["forks"]
        self.addCleanup(self.client.session, "rm", fork)
        after = self.client.run(fork, "x = 3")
        self.save(fork, "of-fork", with_code=True)
        metadata = self.client.session("checkpoint_show", checkpoint="of-fork")["metadata"]
        self.assertEqual((metadata["parent"], metadata["runs"]), ("root-of-fork", 2), metadata)
        self.assertEqual([row["run_id"] for row in metadata["code"]], [before.run_id, after.run_id])

    def test_what_a_worker_says_of_its_restore_ends_no_manager(self):
        for name, report in (("lie", "b'{\"whole\":\"yes\"}'"), ("number", "b'5'"),
                             ("large", "b'{\"whole\":true,\"x\":[' + b'1e15,' * 2_500_000 + b'1]}'")):
            session = self.new()
            self.client.run(session, f"CODE = {FORGE!r}.replace('REPORT', {report!r})\n"
                                     "class Evil:\n  def __reduce__(self): return exec, (CODE,)\nevil = Evil()")
            self.save(session, name)
            with self.assertRaises(Refused):
                self.client.session("rm", self.client.session("new", "", checkpoint=name)["session"])
            self.assertEqual(self.value(session, "1 + 1"), "2")

    def test_a_manager_that_is_asked_to_end_writes_what_it_has_begun(self):
        session = self.client.new()
        self.client.run(session, "import time\nclass Slow:\n  def __reduce__(self):\n    time.sleep(0.4); return (Slow, ())\n"
                                 "slow = Slow(); x = 8")
        self.client.next_id += 1
        self.client.send({"type": "session", "id": self.client.next_id, "operation": "checkpoint", "session": session,
                          "checkpoint": "last", "durable": True})
        wait_for(lambda: list(self.file_of("last").parent.glob(".part-*")), what="the file that is being written")
        type(self).manager.signal(15)
        self.assertEqual(type(self).manager.wait_gone(), 0)
        type(self).manager.start()
        self.client = BranchClient(self.manager.socket)
        self.addCleanup(self.client.close)
        self.addCleanup(self.forget, "last")
        self.assertEqual(self.value(self.restore("last")["session"], "x"), "8")

    def test_it_outlives_the_manager(self):
        session = self.client.new()
        self.client.run(session, "x = 7")
        self.client.session("checkpoint", session, checkpoint="kept", durable=True)
        type(self).manager.signal(15)
        type(self).manager.wait_gone()
        type(self).manager.start()
        self.client = BranchClient(self.manager.socket)
        self.addCleanup(self.client.close)
        self.addCleanup(self.forget, "kept")
        self.assertEqual(self.value(self.restore("kept")["session"], "x"), "7")

    def test_a_hundred_thousand_names(self):
        session = self.new()
        self.client.run(session, "for i in range(100_000): globals()[f'n{i}'] = [i]")
        self.assertEqual(self.save(session, "many")["names"], 100_001)
        self.assertEqual(self.value(self.restore("many")["session"], "n99999, n0"), "([99999], [0])")

    def test_names_are_refused_that_are_taken_or_no_names(self):
        session = self.new()
        self.client.run(session, "x = 1")
        self.save(session, "twice")
        with self.assertRaisesRegex(Refused, "twice"):
            self.client.session("checkpoint", session, checkpoint="twice", durable=True)
        for name in ("", "../x", "a/b", "x" * 65):
            with self.assertRaises(Refused):
                self.client.session("checkpoint", session, checkpoint=name, durable=True)
        with self.assertRaisesRegex(Refused, "nothing"):
            self.client.session("new", "", checkpoint="nothing")


class ByCommand(CheckpointCase):
    """What the command line says of them, and its statuses."""

    def command(self, *arguments):
        done = self.manager.capsule(*arguments)
        return done.status, done.out.decode(), done.err.decode()

    def test_what_could_not_be_restored_is_said(self):
        session = self.new()
        self.client.run(session, "class Bad:\n  def __reduce__(self): return exec, ('raise RuntimeError(7)',)\nbad, good = Bad(), 1")
        self.save(session, "mixed")
        status, out, err = self.command("session", "new", "--from", "mixed")
        self.addCleanup(self.client.session, "rm", out.strip())
        self.assertEqual(status, 0, err)
        self.assertRegex(err, r"not restored: bad \(.*RuntimeError.*7")
        self.assertEqual(self.value(out.strip(), "good"), "1")

    def test_a_damaged_one_is_shown_as_such(self):
        session = self.new()
        self.save(session, "whole")
        for name, status_of in (("whole", 0), ("torn", 1)):
            if name == "torn":
                self.file_of("torn").write_bytes(self.file_of("whole").read_bytes()[:100])
                self.addCleanup(self.forget, "torn")
            for arguments in ((), ("--json",)):
                status, out, err = self.command("checkpoints", "show", name, *arguments)
                self.assertEqual(status, status_of, (out, err))
            self.assertEqual("cannot be used" in self.command("checkpoints", "show", name)[2], name == "torn")

    def test_one_of_several_that_is_not_there_is_in_the_status_of_rm(self):
        session = self.new()
        for arguments in ((), ("--json",)):
            for order in (("nosuch", "one", "two"), ("one", "nosuch", "two"), ("one", "two", "nosuch")):
                self.save(session, "one")
                self.save(session, "two")
                status, out, err = self.command("checkpoints", "rm", *order, *arguments)
                self.assertEqual(status, 125, (out, err))
                self.assertIn("nosuch", out + err)
                self.assertEqual([row["name"] for row in self.client.session("checkpoint_ls")["checkpoints"]], [])
        self.save(session, "one")
        self.assertEqual(self.command("checkpoints", "rm", "one"), (0, "one\n", ""))

    def test_what_goes_with_a_durable_one_needs_one_and_nothing_may_be_empty(self):
        session = self.new()
        for arguments in (("checkpoint", session, "--name", "n", "--notes", "x"), ("checkpoint", session, "--name", "n", "--with-code"),
                          ("new", "--from", ""), ("new", ""), ("fork", session, "--name", "")):
            status, out, err = self.command("session", *arguments)
            self.assertEqual((status, out), (2, ""), (arguments, err))


class Damaged(CheckpointCase):
    def test_each_flipped_bit_is_refused_and_the_reason_is_told(self):
        session = self.new()
        self.client.run(session, "import os\nx = os.urandom(2000)")
        self.save(session, "whole")
        path = self.file_of("whole")
        whole = path.read_bytes()
        numbers = random.Random(1)
        for _ in range(FLIPS):
            damaged = bytearray(whole)
            damaged[numbers.randrange(len(whole))] ^= 1 << numbers.randrange(8)
            path.write_bytes(damaged)
            with self.assertRaises(Refused):
                self.client.session("new", "", checkpoint="whole")
        path.write_bytes(whole)
        self.assertEqual(self.value(self.restore("whole")["session"], "len(x)"), "2000")

    def test_a_truncated_one_is_refused_and_listed_with_the_problem(self):
        session = self.new()
        self.client.run(session, "x = 1")
        self.save(session, "cut")
        path = self.file_of("cut")
        whole = path.read_bytes()
        for size in (0, 1, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:size])
            with self.assertRaises(Refused):
                self.client.session("new", "", checkpoint="cut")
            row, = [row for row in self.client.session("checkpoint_ls")["checkpoints"] if row["name"] == "cut"]
            self.assertTrue(row["problem"], row)

    @staticmethod
    def of_python(whole, minor, file_format=1):
        """The same checkpoint as another Python's, with both digests right: docs/CHECKPOINTS.md has the layout."""
        header = whole[:8] + struct.pack(">HBBI", file_format, 3, minor, 0)
        lengths = whole[-96:-72]
        stored, _, of_metadata, _ = struct.unpack(">QQII", lengths)
        metadata = whole[16 + stored:16 + stored + of_metadata]
        before = header + whole[16:-72] + hashlib.sha256(header + metadata + lengths).digest()
        return before + hashlib.sha256(before).digest() + whole[-8:]

    def test_one_of_another_python_or_format_is_refused_with_both_named(self):
        session = self.new()
        self.client.run(session, "x = 1")
        self.save(session, "other")
        path = self.file_of("other")
        whole = path.read_bytes()
        minor = sys.version_info.minor
        self.assertEqual(self.of_python(whole, minor), whole)
        path.write_bytes(self.of_python(whole, minor + 1))
        with self.assertRaisesRegex(Refused, rf"from Python 3\.{minor + 1}, this profile has 3\.{minor}"):
            self.client.session("new", "", checkpoint="other")
        path.write_bytes(self.of_python(whole, minor, file_format=2))
        with self.assertRaisesRegex(Refused, "has format 2, and this Capsule reads format 1"):
            self.client.session("new", "", checkpoint="other")

    def test_a_session_that_cannot_be_restored_is_not_left_behind(self):
        before = len(self.client.session("ls")["sessions"])
        session = self.new()
        self.client.run(session, "import os\nclass Bomb:\n  def __reduce__(self): return (os._exit, (3,))\nbomb = Bomb()")
        self.save(session, "bomb")
        with self.assertRaisesRegex(Refused, "while it was restored"):
            self.client.session("new", "", checkpoint="bomb")
        self.assertEqual(len(self.client.session("ls")["sessions"]), before + 1)


class Commands(CheckpointCase):
    def test_they_can_be_listed_shown_exported_imported_and_removed(self):
        session = self.new()
        self.client.run(session, "x = 5")
        done = self.manager.capsule("session", "checkpoint", session, "--name", "cli", "--durable", "--notes", "n")
        self.assertEqual((done.status, b"1 names" in done.out), (0, True), done)
        self.assertIn(b"cli", self.manager.capsule("checkpoints", "ls").out)
        self.assertIn(b"notes: n", self.manager.capsule("checkpoints", "show", "cli").out)
        file = f"{self.manager.directory}/cli.ckpt"
        self.assertEqual(self.manager.capsule("checkpoints", "export", "cli", file).status, 0)
        self.assertNotEqual(self.manager.capsule("checkpoints", "export", "cli", file).status, 0)
        self.assertEqual(self.manager.capsule("checkpoints", "import", file, "again").status, 0)
        self.addCleanup(self.forget, "again")
        made = self.manager.capsule("session", "new", "--from", "again")
        self.assertEqual(made.status, 0, made)
        name = made.out.decode().strip()
        self.assertEqual(self.value(name, "x"), "5")
        self.client.session("rm", name)
        pathlib.Path(file).write_bytes(pathlib.Path(file).read_bytes()[:-9] + b"x" * 9)
        refused = self.manager.capsule("checkpoints", "import", file, "bad")
        self.assertNotEqual(refused.status, 0, refused)
        self.assertEqual(self.manager.capsule("checkpoints", "rm", "cli", "again").status, 0)
        self.assertNotIn(b"again", self.manager.capsule("checkpoints", "ls").out)

    def test_undo_checkpoint_and_restore_have_commands(self):
        session = self.new(rollback="always")
        self.client.run(session, "x = 1")
        self.client.run(session, "x = 2")
        self.assertIn(b"runs undone: 1", self.manager.capsule("session", "undo", session).out)
        self.assertEqual(self.value(session, "x"), "1")
        self.assertEqual(self.manager.capsule("session", "checkpoint", session, "--name", "here").status, 0)
        self.client.run(session, "x = 3")
        self.assertIn(b"here", self.manager.capsule("session", "ls-checkpoints", session).out)
        self.assertEqual(self.manager.capsule("session", "restore", session, "here").status, 0)
        self.assertEqual(self.value(session, "x"), "1")
        self.assertEqual(self.manager.capsule("session", "rm-checkpoint", session, "here").status, 0)
        crash = self.manager.capsule("exec", session, "-c", "import os; os.kill(os.getpid(), 11)")
        self.assertEqual(crash.status, 139, crash)
        self.assertIn(b"went back to snapshot-", crash.err)


if __name__ == "__main__":
    unittest.main()
