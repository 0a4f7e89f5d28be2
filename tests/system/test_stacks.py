"""Where a running program is: asked for, and told in the record of a run that lasts."""
import json
import os
import threading
import time
import unittest
import urllib.request

from processes import wait_for
from support import SHARED, SMALL, ManagerCase, as_user, read_event, last_event

SLEEPER = """
import time
def inner():
    print('there', flush=True)
    time.sleep({seconds})
def outer():
    inner()
outer()
print('went on')
"""
# Frames, code objects and threads come and go while somebody looks.
BUSY = """
import threading, time
def deep(n):
    return n if n == 0 else deep(n - 1) + eval('(lambda x: x)(1)')
def brief():
    deep(20)
print('there', flush=True)
end = time.monotonic() + {seconds}
while time.monotonic() < end:
    deep(400)
    for thread in [threading.Thread(target=brief) for _ in range(4)]:
        thread.start()
        thread.join()
print('went on')
"""


def begin(manager, code, *arguments):
    """A run whose program has printed 'there'."""
    child = manager.spawn("run", "--events", *arguments, "-c", code)
    run_id = read_event(child, "accepted")["run_id"]
    read_event(child, "output")
    return child, run_id


def stacks(manager, run_id, **options):
    done = manager.capsule("stacks", "--json", run_id, **options)
    assert done.status == 0, done
    return done.document()


class Stacks(ManagerCase):
    def test_a_sleeping_program_tells_where_it_is_and_goes_on(self):
        child, run_id = begin(self.manager, SLEEPER.format(seconds=2))
        document = stacks(self.manager, run_id)
        text = "\n".join(document["stack"])
        self.assertLess(text.index("in inner"), text.index("in outer"))
        self.assertNotIn("_capsule", text)
        self.assertEqual((document["run_id"], document["missing"]), (run_id, None))
        self.assertGreater(document["running_s"], 0)
        shown = self.manager.capsule("stacks", run_id)
        self.assertEqual(shown.out.decode(), text + "\n")
        end = last_event(child)
        self.assertEqual((end["verdict"], end["evidence"]["stack"]), ("ok", ""))
        self.assertEqual(self.manager.capsule("logs", run_id).out, b"there\nwent on\n")

    def test_a_program_that_hangs_in_c_tells_where_it_is(self):
        child, run_id = begin(self.manager, "import re\nprint('there', flush=True)\n"
                                            "def stuck(): re.match('(a+)+$', 'a' * 60 + 'b')\nstuck()")
        self.assertIn("in stuck", "\n".join(stacks(self.manager, run_id)["stack"]))
        self.manager.capsule("cancel", run_id)
        self.assertEqual(last_event(child)["verdict"], "cancelled")

    def test_looking_at_frames_that_come_and_go_disturbs_nothing(self):
        child, run_id = begin(self.manager, BUSY.format(seconds=4))
        told = 0
        with self.manager.raw() as client:
            client.hello()
            while True:
                client.send({"type": "stack", "id": 1, "run_id": run_id})
                answer = client.receive_of("document", "error")
                if answer["type"] == "error":
                    break
                told += bool(json.loads(answer["json"])["stack"])
        self.assertEqual(answer["code"], "conflict")
        self.assertGreater(told, 100)
        self.assertEqual(last_event(child)["verdict"], "ok")
        self.assertEqual(self.manager.capsule("logs", run_id).out, b"there\nwent on\n")

    def test_many_who_ask_at_once_are_all_answered(self):
        child, run_id = begin(self.manager, SLEEPER.format(seconds=2))
        with self.manager.raw() as client:
            client.hello()
            for number in range(1, 31):
                client.send({"type": "stack", "id": number, "run_id": run_id})
            answers = [client.receive_of("document", "error") for _ in range(30)]
        self.assertEqual({a["type"] for a in answers}, {"document"})
        self.assertEqual(sorted(a["re"] for a in answers), list(range(1, 31)))
        self.assertEqual(last_event(child)["verdict"], "ok")

    def test_runs_without_a_stack_say_why(self):
        over = self.manager.run_code("1")["run_id"]
        done = self.manager.capsule("stacks", over)
        self.assertEqual((done.status, done.out), (125, b""), done)
        self.assertIn(b"is over", done.err)
        self.assertIn(b"capsule inspect " + over.encode(), done.err)
        for name in ("no-such-run", "", "../../x"):
            done = self.manager.capsule("stacks", name)
            self.assertNotEqual(done.status, 0)
            self.assertEqual(done.out, b"")

    def test_a_queued_run_has_no_stack_yet(self):
        session = self.manager.capsule("session", "new").out.decode().strip()
        with self.manager.raw() as client:
            client.hello()
            first = client.execute("import time; time.sleep(60)", session=session, mode="cell")
            second = client.execute("1", session=session, mode="cell")
            done = self.manager.capsule("stacks", second)
            self.assertEqual(done.status, 125)
            self.assertIn(b"is queued", done.err)
            self.manager.capsule("cancel", second, first)
        self.manager.capsule("session", "rm", session)

    def test_a_program_that_stands_still_is_given_up_and_its_late_answer_does_no_harm(self):
        session = self.manager.capsule("session", "new").out.decode().strip()
        code = ("import os, signal, time\nprint('there', flush=True)\nx = 1\n"
                "if (child := os.fork()) == 0:\n    time.sleep(3); os.kill(os.getppid(), signal.SIGCONT); os._exit(0)\n"
                "os.kill(os.getpid(), signal.SIGSTOP)\nos.waitpid(child, 0)")
        child = self.manager.spawn("exec", "--events", session, "-c", code)
        run_id = read_event(child, "accepted")["run_id"]
        read_event(child, "output")

        def stands_still():
            return self.manager.capsule("stacks", run_id).status == 125

        wait_for(stands_still, 10, "a program that does not answer")
        done = self.manager.capsule("stacks", run_id)
        self.assertIn(b"did not answer in time", done.err)
        self.assertEqual(last_event(child)["verdict"], "ok")
        self.assertEqual(self.manager.exec(session, "x")["result"]["text/plain"], "1")
        self.manager.capsule("session", "rm", session)

    def test_a_worker_that_tells_stacks_unasked_is_ended(self):
        forged = ("import os, socket, stat, struct, sys\n"
                  "def text(s): return struct.pack('>BI', 0xDB, len(s)) + s.encode()\n"
                  "def frame(run): \n"
                  "    body = b'\\x83' + text('type') + text('stack') + text('run_id') + text(run)\n"
                  "    body += text('text') + struct.pack('>BI', 0xC6, 3) + b'abc'\n"
                  "    return struct.pack('>I', len(body)) + body\n"
                  "for fd in range(3, 64):\n"
                  "    try:\n"
                  "        if stat.S_ISSOCK(os.fstat(fd).st_mode): os.write(fd, frame('somebody'))\n"
                  "    except OSError: pass\n"
                  "import time; time.sleep(5)")
        self.assert_verdict(self.manager.run_code(forged), "worker_lost")
        self.assert_next_run_works()

    def test_who_asked_is_in_the_audit_log(self):
        child, run_id = begin(self.manager, SLEEPER.format(seconds=1))
        stacks(self.manager, run_id)
        last_event(child)
        log = os.path.join(self.manager.info("manager")["manager"]["audit"]["directory"], "audit.jsonl")

        def found():
            with open(log) as lines:
                return [r for r in map(json.loads, lines) if r["action"] == "run.stack" and r.get("object") == f"run:{run_id}"]

        self.assertEqual(wait_for(found, 10, "a record of it")[0]["uid"], os.getuid())


@unittest.skipIf(os.geteuid() != 0, "needs a second user: only root can act as one")
class Users(ManagerCase):
    config = SMALL + SHARED

    def test_the_stack_of_another_users_run_cannot_be_had(self):
        child, run_id = begin(self.manager, SLEEPER.format(seconds=2))
        refused = self.manager.capsule("stacks", run_id, **as_user(1000))
        self.assertEqual((refused.status, refused.out), (125, b""), refused)
        self.assertIn(b"no run", refused.err)
        last_event(child)


class Slow(ManagerCase):
    config = SMALL + "[run]\nslow_after_s = 0.4\n[profiles.facts.run]\nrecorded = \"none\"\n[profiles.quick.run]\nslow_after_s = 0\n"
    arguments = ("--http", "127.0.0.1:0")

    def record(self, run_id):
        return self.manager.capsule("inspect", "--json", run_id).document()

    def slow_runs(self):
        address = self.manager.info("manager")["manager"]["http"]
        with urllib.request.urlopen(f"http://{address}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return float(next(line for line in lines if line.startswith("capsule_runs_slow_total")).split()[-1])

    def test_a_run_that_lasts_leaves_its_stack_in_the_record(self):
        before = self.slow_runs()
        run = self.manager.run_code(SLEEPER.format(seconds=1))
        self.assert_verdict(run, "ok")
        slow = self.record(run["run_id"])["slow_stack"]
        self.assertIn("in inner", "\n".join(slow["stack"]))
        self.assertIsNone(slow["missing"])
        self.assertGreaterEqual(slow["after_s"], 0.4)
        self.assertEqual(self.slow_runs(), before + 1)
        lines = [line for line in self.manager.log().splitlines() if "run is slow" in line and run["run_id"] in line]
        self.assertEqual(len(lines), 1)

    def test_a_run_that_does_not_last_leaves_none(self):
        before = self.slow_runs()
        run = self.manager.run_code("1")
        self.assertIsNone(self.record(run["run_id"])["slow_stack"])
        off = self.manager.run_code("import time; time.sleep(1)", "--profile", "quick")
        self.assertIsNone(self.record(off["run_id"])["slow_stack"])
        self.assertEqual(self.slow_runs(), before)

    def test_a_profile_that_keeps_code_out_of_records_keeps_the_stack_out(self):
        run = self.manager.run_code("def kanarienvogel():\n    import time; time.sleep(1)\nkanarienvogel()",
                                    "--profile", "facts")
        slow = self.record(run["run_id"])["slow_stack"]
        self.assertEqual(slow["stack"], [])
        self.assertIn("run.recorded", slow["missing"])
        self.assertGreaterEqual(slow["after_s"], 0.4)

    def test_a_slow_run_that_is_killed_has_both_stacks(self):
        run = self.manager.run_code("import re\ndef stuck(): re.match('(a+)+$', 'a' * 60 + 'b')\nstuck()", "--timeout", "1")
        self.assert_verdict(run, "timeout")
        self.assertIn("in stuck", run["evidence"]["stack"])
        self.assertIn("in stuck", "\n".join(self.record(run["run_id"])["slow_stack"]["stack"]))


if __name__ == "__main__":
    unittest.main()
