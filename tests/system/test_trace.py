"""Traces of real runs: one request id in all places, the events of a run, and what its program is told of it."""
import json
import os
import pathlib
import re
import unittest

from processes import wait_for
from support import SMALL, Manager, ManagerCase, program

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{SPAN}-01"
ONE_SHOT = ["submitted", "admitted", "queued", "dequeued", "leased", "started", "first_output", "output_flushed",
            "drained", "finished"]
CANARY = "canary-7f00dcafe"


class TraceTest(ManagerCase):
    arguments = ("--log-level", "debug")

    def trace(self, run_id):
        done = self.manager.capsule("trace", run_id, "--json")
        self.assertEqual(done.status, 0, done)
        return done.document()

    def events(self, run_id):
        return [event["event"] for event in self.trace(run_id)["events"]]

    def inspect(self, run_id):
        done = self.manager.capsule("inspect", run_id, "--json")
        self.assertEqual(done.status, 0, done)
        return done.document()

    def trace_file(self, run_id):
        return pathlib.Path(self.inspect(run_id)["directory"], "trace.jsonl")

    def log_lines(self, run_id):
        return [line for line in map(json.loads, self.manager.log_file.read_text().splitlines())
                if line.get("run_id") == run_id]

    def audit_lines(self, **fields):
        directory = self.manager.info("manager")["manager"]["audit"]["directory"]
        text = "".join(pathlib.Path(directory, f"{log}.jsonl").read_text() for log in ("audit", "decisions"))
        return [line for line in map(json.loads, text.splitlines()) if fields.items() <= line.items()]

    def session(self, *arguments):
        done = self.manager.capsule("session", "new", *arguments)
        self.assertEqual(done.status, 0, done)
        name = done.out.decode().strip()
        self.addCleanup(self.manager.capsule, "session", "rm", name)
        return name

    def test_one_request_id_is_in_the_reply_the_log_the_record_the_trace_and_the_audit(self):
        document = self.manager.run_code("print(1)", "--request-id", "order-17/a")
        run = document["run_id"]
        self.assertEqual(document["request_id"], "order-17/a")
        self.assertEqual(self.inspect(run)["request_id"], "order-17/a")
        rows = self.manager.capsule("ps", "--all", "--json").document()["runs"]
        self.assertEqual([row["request_id"] for row in rows if row["run_id"] == run], ["order-17/a"])
        self.assertEqual(self.trace(run)["request_id"], "order-17/a")
        wait_for(lambda: len(self.audit_lines(object=f"run:{run}")) == 3, 10, "three lines of audit and decisions")
        for line in self.audit_lines(object=f"run:{run}"):
            self.assertEqual(line["request_id"], "order-17/a", line)
        wait_for(lambda: {"run accepted", "run finished"} <= {line["msg"] for line in self.log_lines(run)}, 10, "the log")
        for line in self.log_lines(run):
            self.assertEqual(line["request_id"], "order-17/a", line)

    def test_a_request_without_an_id_gets_one_of_its_own(self):
        first, second = (self.manager.run_code("1") for _ in range(2))
        self.assertRegex(first["request_id"], r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-")
        self.assertNotEqual(first["request_id"], second["request_id"])
        self.assertNotEqual(first["trace_id"], second["trace_id"])
        self.assertEqual(self.inspect(first["run_id"])["trace_id"], first["trace_id"])

    def test_a_request_id_that_could_forge_a_line_is_refused(self):
        for wrong, status in (("two words", 125), ("a\nb", 125), ("ü", 125), ("x" * 129, 2)):
            done = self.manager.capsule("run", "--request-id", wrong, "-c", "1")
            self.assertEqual(done.status, status, done)
        done = self.manager.capsule("session", "new", "--request-id", "two words")
        self.assertNotEqual(done.status, 0, done)

    def test_requests_about_sessions_are_in_the_audit_under_their_ids(self):
        name = self.session("--request-id", "made-by-17")
        wait_for(lambda: self.audit_lines(action="session.new", object=f"session:{name}", request_id="made-by-17"), 10,
                 "the session's line")

    def test_a_run_is_a_part_of_its_callers_trace_and_its_program_of_its_own(self):
        code = "import os, subprocess\nprint(os.environ['TRACEPARENT'])\n" \
               "print(subprocess.run(['printenv', 'TRACEPARENT'], capture_output=True, text=True).stdout, end='')"
        document = self.manager.run_code(code, "--traceparent", GIVEN)
        trace = self.trace(document["run_id"])
        self.assertEqual((document["trace_id"], trace["trace_id"], trace["parent_span_id"]), (TRACE, TRACE, SPAN))
        self.assertEqual(document["stdout"], f"00-{TRACE}-{trace['span_id']}-01\n" * 2)

    def test_the_command_takes_its_context_from_its_environment(self):
        environment = dict(self.manager.environment, CAPSULE_SOCKET=self.manager.socket, TRACEPARENT=GIVEN)
        self.assertEqual(self.manager.run_code("1", env=environment)["trace_id"], TRACE)

    def test_a_context_that_is_none_begins_a_trace_and_costs_nothing(self):
        for wrong in (b"00-zz", b"x" * 1000, b"\xff\xfe"):
            environment = {os.fsencode(k): os.fsencode(v) for k, v in self.manager.environment.items()}
            environment |= {b"CAPSULE_SOCKET": os.fsencode(self.manager.socket), b"TRACEPARENT": wrong}
            document = self.manager.run_code("1", env=environment)
            self.assert_verdict(document, "ok", 0)
            self.assertRegex(document["trace_id"], "^[0-9a-f]{32}$")

    def test_each_run_of_a_session_has_a_context_of_its_own(self):
        session = self.session()
        code = "import os; print(os.environ['TRACEPARENT'])"
        first, second = (self.manager.exec(session, code) for _ in range(2))
        for run in (first, second):
            span = self.trace(run["run_id"])["span_id"]
            self.assertEqual(run["stdout"], f"00-{run['trace_id']}-{span}-01\n")
        self.assertNotEqual(first["trace_id"], second["trace_id"])

    def test_a_run_leaves_all_its_events_in_order(self):
        run = self.manager.run_code("print(1)")["run_id"]
        self.assertEqual(self.events(run), ONE_SHOT)
        document = self.trace(run)
        times = [event["at_us"] for event in document["events"]]
        self.assertEqual(times, sorted(times))
        self.assertEqual([span["name"] for span in document["spans"]], ["queue", "lease", "execute", "drain"])
        self.assertEqual(document["spans"][-1]["end_us"], document["total_us"])

    def test_an_interrupt_and_a_kill_are_in_the_trace_with_their_reason(self):
        document = self.manager.run("--timeout", "0.2", program("ignore_sigint"))
        events = {e["event"]: e["detail"] for e in self.trace(document["run_id"])["events"]}
        self.assertEqual((events["interrupt_sent"], events["killed"], events["finished"]),
                         ("timeout", "timeout", "timeout"))

    def test_a_session_that_goes_back_says_so_in_the_trace_of_the_run_that_made_it(self):
        session = self.session("--rollback", "always")
        self.manager.exec(session, "x = 1")
        crashed = self.manager.exec(session, "import os; os.abort()")
        document = self.trace(crashed["run_id"])
        events = [event["event"] for event in document["events"]]
        self.assertLess(events.index("snapshot"), events.index("dequeued"))
        self.assertLess(events.index("rolled_back"), events.index("finished"))
        self.assertEqual(document["session"], session)

    def test_a_run_under_way_has_a_trace_without_an_end(self):
        session = self.session()
        child = self.manager.spawn("exec", session, "-c", "print('up', flush=True); input()", "--stdin")
        self.assertEqual(child.stdout.readline(), b"up\n")
        run = next(r for r in self.manager.info("runs")["runs"] if r["session"] == session)["run_id"]
        wait_for(lambda: self.events(run)[-1] == "first_output", 10, "the first output")
        document = self.trace(run)
        self.assertIsNone(document["verdict"])
        self.assertEqual(document["spans"][-1]["name"], "execute")
        child.stdin.close()
        child.wait()

    def test_a_run_that_was_refused_a_worker_has_the_events_it_came_to(self):
        session = self.session()
        child = self.manager.spawn("exec", session, "-c", "import time; time.sleep(60)")
        wait_for(lambda: [r for r in self.manager.info("runs")["runs"] if r["session"] == session], 10, "a run")
        queued = self.manager.spawn("exec", session, "-c", "1")
        wait_for(lambda: self.manager.info("queue")["queue"]["depth"] == 1, 10, "a queued run")
        run = next(r for r in self.manager.info("runs")["runs"] if r["state"] == "queued")["run_id"]
        self.manager.capsule("cancel", run)
        self.assertEqual(queued.wait(), 130)
        self.assertEqual(self.events(run), ["submitted", "admitted", "queued", "finished"])
        child.kill()

    def test_the_waterfall_is_drawn_without_colour_where_nobody_looks(self):
        run = self.manager.run_code("print(1)")["run_id"]
        done = self.manager.capsule("trace", run)
        self.assertEqual(done.status, 0, done)
        text = done.out.decode()
        for word in ("  execute ", "    first_output", "#", "verdict  ok"):
            self.assertIn(word, text)
        self.assertNotIn("\x1b", text)

    def test_the_waterfall_is_as_wide_as_the_terminal_and_coloured_unless_that_is_refused(self):
        run = self.manager.run_code("print(1)")["run_id"]
        for columns in (80, 160):
            done = self.manager.on_terminal("trace", run, columns=columns)
            self.assertEqual(done.status, 0, done)
            text = done.out.decode()
            self.assertIn("\x1b[36m", text)
            widest = max(map(len, re.sub(r"\x1b\[\d+m", "", text).splitlines()))
            self.assertEqual(widest, columns)
        self.assertNotIn(b"\x1b", self.manager.on_terminal("trace", run, columns=80, NO_COLOR="1").out)

    def test_a_run_that_is_nobodys_has_no_trace(self):
        done = self.manager.capsule("trace", "0190a5c2-8e1b-7c3d-9f00-3b6a1f2e4d5c")
        self.assertEqual(done.status, 125, done)
        self.assertIn(b"no record", done.err)

    def test_nothing_that_programs_bring_along_is_in_a_trace(self):
        environment = dict(self.manager.environment, CAPSULE_SOCKET=self.manager.socket, TOKEN=CANARY)
        done = self.manager.capsule("session", "new", "--secret-env", "TOKEN", env=environment)
        session = done.out.decode().strip()
        self.addCleanup(self.manager.capsule, "session", "rm", session)
        code = f"secret = '{CANARY}'\nprint(secret)\nclass E{CANARY.replace('-', '_')}(Exception): pass\n" \
               f"raise E{CANARY.replace('-', '_')}(secret)"
        run = self.manager.exec(session, code, "--rollback", "always")["run_id"]
        for text in (json.dumps(self.trace(run)), self.trace_file(run).read_text()):
            self.assertNotIn(CANARY, text)
            self.assertNotIn(CANARY.replace("-", "_"), text)


class RestartTest(unittest.TestCase):
    def test_the_record_has_the_trace_after_the_manager_has_ended(self):
        manager = Manager(SMALL)
        self.addCleanup(manager.kill)
        manager.start()
        run = manager.run_code("print(1)")["run_id"]
        live = manager.capsule("trace", run, "--json").document()
        state = pathlib.Path(manager.directory, "state")
        manager.signal(15)
        self.assertEqual(manager.wait_gone(), 0)
        manager.start()
        again = manager.capsule("trace", run, "--json").document()
        self.assertEqual(again, live)
        [path] = state.rglob("trace.jsonl")
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        self.assertEqual([line["event"] for line in lines], ONE_SHOT)
        self.assertTrue(all(line["run_id"] == run and line["trace_id"] == live["trace_id"] for line in lines))
        manager.stop()


if __name__ == "__main__":
    unittest.main()
