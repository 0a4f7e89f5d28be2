"""What is in a session, seen from outside: names, types, sizes; never values, and nothing of it is disturbed."""
import json
import os
import threading
import unittest

from processes import wait_for
from support import SHARED, SMALL, ManagerCase, as_user, read_event

CANARY = "kanarienvogel"
CONTENT = f"""
import math
numbers = list(range(1000))
text = {CANARY!r}
def half(x): return x / 2
class Box:
    def __len__(self): raise SystemExit('asked')
    __repr__ = __sizeof__ = __getattr__ = __len__
box = Box()
"""
HASHED = """
[profiles.hidden.run]
inspect = "hashed"
[profiles.closed.run]
inspect = "off"
[profiles.hidden.pool]
warm = 1
capsules = 1
[profiles.closed.pool]
warm = 1
capsules = 1
"""


class InspectCase(ManagerCase):
    def session(self, *arguments, code=CONTENT, **options):
        done = self.manager.capsule("session", "new", *arguments, **options)
        self.assertEqual(done.status, 0, done)
        name = done.out.decode().strip()
        self.addCleanup(self.manager.capsule, "session", "rm", name)
        if code:
            self.assert_verdict(self.manager.exec(name, code), "ok")
        return name

    def inspect(self, name, **options):
        done = self.manager.capsule("inspect", "--json", name, **options)
        self.assertEqual(done.status, 0, done)
        return done.document()

    def audited(self, action, **fields):
        log = os.path.join(self.manager.info("manager")["manager"]["audit"]["directory"], "audit.jsonl")

        def found():
            with open(log) as lines:
                return [r for r in map(json.loads, lines) if r["action"] == action and fields.items() <= r.items()]

        return wait_for(found, 10, f"a record of {action} with {fields}")


class Inspect(InspectCase):
    config = SMALL + HASHED

    def test_names_types_and_sizes_are_told_and_values_are_not(self):
        session = self.session()
        document = self.inspect(session)
        names = {entry["name"]: entry for entry in document["namespace"]["list"]}
        self.assertEqual(set(names), {"math", "numbers", "text", "half", "Box", "box"})
        self.assertEqual(document["namespace"]["kinds"], {"function": 1, "class": 1, "module": 1, "data": 3})
        self.assertEqual((names["numbers"]["type"], names["numbers"]["length"]), ("list", 1000))
        self.assertGreater(names["numbers"]["bytes"], 8000)
        self.assertEqual((names["box"]["type"], names["box"]["length"]), ("Box", None))
        self.assertNotIn(CANARY, json.dumps(document))
        self.assertEqual((document["session"], document["state"], document["uid"]), (session, "ready", os.getuid()))
        self.assertEqual(document["runs"], 1)
        self.assertGreater(document["worker"]["rss_bytes"], 0)
        self.assertEqual((document["limits"]["wall_s"], document["limits"]["processes"]), (300, 64))
        shown = self.manager.capsule("inspect", session)
        self.assertEqual(shown.status, 0)
        self.assertIn(b"6 names", shown.out)
        self.assertNotIn(CANARY.encode(), shown.out)
        self.assertEqual(self.audited("session.inspect", object=f"session:{session}")[0]["uid"], os.getuid())

    def test_looking_changes_nothing(self):
        session = self.session(code="import random\nrandom.seed(1)\ncalls = []\nfor i in range(3): pass")
        for _ in range(20):
            self.inspect(session)
        self.assertEqual(self.manager.exec(session, "random.seed(1) or sorted(n for n in globals() if n[0] != '_')")
                         ["result"]["text/plain"], "['calls', 'i', 'random']")

    def test_snapshots_forks_and_parents_are_shown(self):
        session = self.session()
        self.manager.capsule("session", "checkpoint", session, "--name", "before")
        fork = self.manager.capsule("session", "fork", session).out.decode().strip()
        self.addCleanup(self.manager.capsule, "session", "rm", fork)
        document = self.inspect(session)
        self.assertIn("before", [each["name"] for each in document["snapshots"]])
        self.assertEqual(document["lineage"], {"parent": None, "ancestors": [], "forks": [fork]})
        self.assertEqual(self.inspect(fork)["lineage"], {"parent": session, "ancestors": [session], "forks": []})
        self.assertEqual(self.inspect(fork)["namespace"]["names"], 6)

    def test_a_busy_session_tells_what_the_manager_knows_and_what_waits(self):
        session = self.session()
        with self.manager.raw() as client:
            client.hello()
            runs = [client.execute("import time; time.sleep(60)", session=session, mode="cell")]
            client.receive_of("started")
            runs.append(client.execute("1", session=session, mode="cell"))
            document = self.inspect(session)
            self.manager.capsule("cancel", *runs[::-1])
        self.assertIsNone(document["namespace"])
        self.assertIn("busy", document["namespace_missing"])
        self.assertEqual([(each["run_id"], each["state"]) for each in document["pending"]],
                         [(runs[0], "running"), (runs[1], "queued")])

    def test_runs_that_come_while_somebody_looks_wait_and_work(self):
        session = self.session(code="n = 0\nbig = {f'k{i}': [i] for i in range(100_000)}\nglobals().update(big)")
        stop, failures = threading.Event(), []

        def look():
            while not stop.is_set():
                done = self.manager.capsule("inspect", "--json", session)
                if done.status != 0:
                    failures.append(done)

        thread = threading.Thread(target=look)
        thread.start()
        try:
            for i in range(1, 20):
                run = self.manager.exec(session, "n += 1; n")
                self.assertEqual(run["result"]["text/plain"], str(i), run)
        finally:
            stop.set()
            thread.join()
        self.assertEqual(failures, [])

    def test_hashed_names_hide_what_they_are_called(self):
        session = self.session("--profile", "hidden", code=CONTENT + f"{CANARY} = 1\nclass {CANARY}Class: pass\n"
                                                                     f"instance = {CANARY}Class()")
        one, two = self.inspect(session), self.inspect(session)
        self.assertTrue(one["namespace"]["hashed"])
        self.assertEqual(one["namespace"]["names"], 9)
        text = json.dumps(one)
        for name in (CANARY, "numbers", "half", "Box"):
            self.assertNotIn(name, text)
        key = [(entry["name"], entry["bytes"]) for entry in one["namespace"]["list"]]
        self.assertEqual(key, [(entry["name"], entry["bytes"]) for entry in two["namespace"]["list"]])

    def test_a_profile_can_keep_everybody_out(self):
        session = self.session("--profile", "closed")
        done = self.manager.capsule("inspect", session)
        self.assertEqual((done.status, done.out), (125, b""), done)
        self.assertIn(b"run.inspect", done.err)
        self.audited("session.inspect", outcome="refused", object=f"session:{session}")

    def test_a_worker_that_lies_about_its_namespace_lies_about_itself_only(self):
        session = self.session()
        hostile = ("import sys\nm = sys.modules['_capsule_inspect']\n"
                   "m.inspect_session = lambda hashed: b'{\"list\":[{\"name\":\"\\\\u001b[2J\",\"bytes\":-5}]}'")
        self.manager.exec(session, hostile)
        self.assertEqual(self.inspect(session)["namespace"]["list"][0]["bytes"], None)
        self.assertNotIn(b"\x1b", self.manager.capsule("inspect", session).out)
        for answer in ("b'x' * (2 << 20)", "5", "1/0", "b'[' * 100000"):
            self.manager.exec(session, f"m.inspect_session = lambda hashed: {answer}")
            document = self.inspect(session)
            self.assertIsNone(document["namespace"])
            self.assertTrue(document["namespace_missing"])
        self.assertEqual(self.manager.exec(session, "half(4)")["result"]["text/plain"], "2.0")

    def test_a_worker_that_does_not_answer_is_given_up_and_the_session_goes_on(self):
        session = self.session("--rollback", "always")
        self.manager.exec(session, "import sys, time\nsys.modules['_capsule_inspect'].inspect_session = "
                                   "lambda hashed: time.sleep(60)")
        document = self.inspect(session)
        self.assertIn("did not answer", document["namespace_missing"])
        self.assertEqual(self.manager.exec(session, "half(4)")["verdict"], "ok")

    def test_what_is_neither_a_run_nor_a_session_is_not_found(self):
        done = self.manager.capsule("inspect", "nothing-of-this-name")
        self.assertEqual((done.status, done.out), (125, b""))


@unittest.skipIf(os.geteuid() != 0, "needs a second user: only root can act as one")
class Users(InspectCase):
    config = SMALL + SHARED

    def test_another_user_sees_nothing_and_root_sees_all(self):
        mine = self.session()
        theirs = self.session(**as_user(1000), code="")
        for name, options, status in ((mine, as_user(1000), 125), (theirs, {}, 0), (theirs, as_user(1000), 0)):
            done = self.manager.capsule("inspect", name, **options)
            self.assertEqual(done.status, status, done)
            self.assertEqual(bool(done.out), status == 0)
        tapped = self.manager.capsule("tap", mine, **as_user(1000))
        self.assertEqual((tapped.status, tapped.out), (125, b""))


class Taps(InspectCase):
    def tap(self, session, *arguments):
        child = self.manager.spawn("tap", "--json", *arguments, session)
        self.audited("session.tap", object=f"session:{session}")
        return child

    def frames(self, child):
        out, _ = child.communicate(timeout=60)
        return [json.loads(line) for line in out.splitlines()]

    def test_frames_are_shown_live_without_their_content(self):
        session = self.session()
        child = self.tap(session)
        run = self.manager.exec(session, f"display({CANARY!r})\n6 * 7")
        self.manager.capsule("session", "rm", session)
        frames = self.frames(child)
        self.assertEqual(child.returncode, 0)
        seen = [(f["direction"], f["kind"]) for f in frames if f["run_id"] == run["run_id"]]
        self.assertEqual(seen, [("out", "execute"), ("in", "display"), ("in", "result"), ("in", "finished")])
        self.assertEqual([f["seq"] for f in frames], list(range(1, len(frames) + 1)))
        self.assertNotIn(CANARY, json.dumps(frames))
        for frame in frames:
            self.assertEqual(frame["session"], session)
            self.assertGreater(frame["bytes"], 4)
        times = [f["wall_us"] for f in frames]
        self.assertEqual(times, sorted(times))

    def test_a_tap_sees_the_workers_that_follow_after_a_loss(self):
        session = self.session()
        child = self.tap(session)
        self.manager.exec(session, "import os; os._exit(1)")
        run = self.manager.exec(session, "1")
        self.manager.capsule("session", "rm", session)
        frames = self.frames(child)
        self.assertIn(("in", "hello"), [(f["direction"], f["kind"]) for f in frames])
        self.assertIn((run["run_id"], "finished"), [(f["run_id"], f["kind"]) for f in frames])

    def test_several_watch_and_one_that_stops_disturbs_nobody(self):
        session = self.session()
        first, second = self.tap(session, "-n", "2"), self.tap(session)
        wait_for(lambda: len(self.audited("session.tap", object=f"session:{session}")) == 2, 10, "two taps")
        self.manager.exec(session, "1")
        self.assertEqual(len(self.frames(first)), 2)
        run = self.manager.exec(session, "2")
        self.manager.capsule("session", "rm", session)
        self.assertIn((run["run_id"], "finished"), [(f["run_id"], f["kind"]) for f in self.frames(second)])

    def test_a_tap_can_be_ended_and_there_is_a_limit_to_them(self):
        session = self.session()
        clients = [self.manager.raw() for _ in range(9)]
        try:
            answers = []
            for client in clients:
                client.hello()
                client.send({"type": "tap", "id": 5, "session": session, "on": True})
                answers.append(client.receive_of("ack", "error")["type"])
            self.assertEqual(answers, ["ack"] * 8 + ["error"])
            clients[0].send({"type": "tap", "id": 6, "session": session})
            clients[0].receive_of("ack")
            clients[8].send({"type": "tap", "id": 7, "session": session, "on": True})
            self.assertEqual(clients[8].receive_of("ack", "error")["type"], "ack")
            self.manager.exec(session, "1")
            clients[0].send({"type": "ping", "id": 8})
            self.assertEqual(clients[0].receive()["type"], "ack")  # and no `tapped` before it
            self.assertEqual(clients[8].receive_of("tapped")["seq"], 1)
        finally:
            for client in clients:
                client.close()

    def test_a_client_that_does_not_read_sees_a_gap_and_holds_nothing_up(self):
        session = self.session()
        with self.manager.raw() as client:
            client.hello()
            client.send({"type": "tap", "id": 1, "session": session, "on": True})
            client.receive_of("ack")
            for _ in range(4):  # some 12,000 frames of 130 bytes: more than fits the socket and what is kept for it
                run = self.manager.exec(session, "for i in range(1500): display(i)")
                self.assert_verdict(run, "ok")
            seqs = []
            client.send({"type": "ping", "id": 2})
            while (message := client.receive())["type"] == "tapped":
                seqs.append(message["seq"])
        self.assertEqual(seqs, sorted(set(seqs)))
        self.assertLess(len(seqs), 12_000)

    def test_frames_of_other_sessions_are_not_shown(self):
        one, other = self.session(), self.session()
        child = self.tap(one)
        foreign = self.manager.exec(other, "1")
        own = self.manager.exec(one, "1")
        self.manager.capsule("session", "rm", one)
        ids = {f["run_id"] for f in self.frames(child)}
        self.assertIn(own["run_id"], ids)
        self.assertNotIn(foreign["run_id"], ids)


if __name__ == "__main__":
    unittest.main()
