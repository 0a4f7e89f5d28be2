"""The audit log and the log of decisions of a real manager: who did what, and that nobody can change it unseen."""
import json
import os
import pathlib
import random
import re
import shutil
import signal
import tempfile
import unittest
import urllib.request

import processes
from support import SMALL, Manager, ManagerCase, read_event
from processes import wait_for

CANARY = "canary-5d1c0ffee"
WAITER = "import time; print('up', flush=True); time.sleep(60)"


def records(manager, log="audit"):
    path = pathlib.Path(manager.info("manager")["manager"]["audit"]["directory"], f"{log}.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def actions(manager, action, log="audit"):
    return [r for r in records(manager, log) if r["action"] == action]


def head(manager, log="audit"):
    return manager.info("manager")["manager"]["audit"]["logs"][log]["head"]


def settle(manager, log="audit"):
    """Waits until what was asked so far is written."""
    wait_for(lambda: len(records(manager, log)) == int(head(manager, log).split(":")[0]), 10, "a written log")


def evidence(manager):
    """capsule_evidence_degraded by what."""
    with urllib.request.urlopen(f"http://{manager.info('manager')['manager']['http']}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    return {what: int(value) for what, value in re.findall(r'capsule_evidence_degraded\{what="(\w+)"\} (\d)', text)}


class AuditTest(ManagerCase):
    def verify(self, *arguments):
        return self.manager.capsule("audit", "verify", *arguments)

    def log_file(self, log="audit"):
        return pathlib.Path(self.manager.info("manager")["manager"]["audit"]["directory"], f"{log}.jsonl")

    def wait_record(self, action, log="audit", **fields):
        def found():
            return [r for r in actions(self.manager, action, log) if fields.items() <= r.items()]

        wait_for(found, 10, f"a record of {action} with {fields}")
        return found()[-1]

    def test_a_run_is_submitted_and_finished_in_the_log_with_its_verdict(self):
        document = self.manager.run_code("import os; os.abort()")
        run = "run:" + document["run_id"]
        submitted = self.wait_record("run.submit", object=run)
        finished = self.wait_record("run.finish", object=run)
        self.assertEqual(submitted["outcome"], "allowed")
        self.assertEqual(finished["outcome"], document["verdict"])
        self.assertEqual(submitted["uid"], processes.os.getuid())
        self.assertLess(submitted["seq"], finished["seq"])
        self.assertLessEqual(submitted["monotonic_us"], finished["monotonic_us"])

    def test_what_is_refused_is_in_both_logs_with_its_reason(self):
        for arguments, reason in [(["--timeout", "100000"], "limit"), (["--profile", "nosuch"], "profile")]:
            done = self.manager.capsule("run", *arguments, "-c", "1")
            self.assertEqual(done.status, 125, done)
            decision = self.wait_record("run", "decisions", reason=reason)
            self.assertEqual(decision["outcome"], "refused")
            self.wait_record("run.submit", outcome="refused", reason=reason)

    def test_sessions_are_in_the_log_and_foreign_names_are_not(self):
        name = self.manager.capsule("session", "new").out.decode().strip()
        self.manager.capsule("session", "reset", name)
        self.manager.capsule("session", "rm", name)
        self.manager.capsule("session", "rm", CANARY)
        for action in ("session.new", "session.reset", "session.rm"):
            self.wait_record(action, object=f"session:{name}", outcome="ok")
        self.wait_record("session.rm", outcome="not_found")
        self.assertNotIn(CANARY, self.log_file().read_text())

    def test_files_that_go_in_and_out_are_in_the_log_without_their_paths(self):
        name = self.manager.capsule("session", "new").out.decode().strip()
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, f"{CANARY}.txt")
            path.write_text(CANARY)
            self.assertEqual(self.manager.capsule("cp", path, f"{name}:").status, 0)
            self.assertEqual(self.manager.capsule("cp", f"{name}:{path.name}", f"{directory}/back").status, 0)
            self.manager.capsule("session", "checkpoint", name, "--name", "kept", "--durable")
            export = self.manager.capsule("checkpoints", "export", "kept", f"{directory}/kept.capsule")
            self.assertEqual(export.status, 0, export)
        self.manager.capsule("session", "rm", name)
        self.wait_record("files.store", object=f"session:{name}", outcome="ok")
        self.wait_record("files.read", object=f"session:{name}", outcome="ok")
        self.wait_record("checkpoint.export", object="checkpoint:kept", outcome="ok")
        self.assertNotIn(CANARY, self.log_file().read_text())

    def test_nothing_of_what_users_bring_gets_into_the_logs(self):
        self.manager.capsule("run", "-c", f"secret = '{CANARY}'; print(secret); raise ValueError(secret)", "--", CANARY)
        self.manager.capsule("run", "--profile", CANARY, "-c", "1")
        self.manager.capsule("cancel", CANARY)
        environment = dict(self.manager.environment, CAPSULE_SOCKET=self.manager.socket, TOKEN=CANARY)
        session = self.manager.capsule("session", "new", "--secret-env", "TOKEN", env=environment)
        self.assertEqual(session.status, 0, session)
        self.manager.capsule("session", "rm", session.out.decode().strip())
        settle(self.manager)
        for log in ("audit", "decisions"):
            self.assertNotIn(CANARY, self.log_file(log).read_text())

    def test_the_live_log_is_whole_against_the_head_in_info(self):
        self.manager.run_code("1")
        kept = head(self.manager)
        self.manager.run_code("2")
        settle(self.manager)
        done = self.verify(self.log_file(), "--head", kept, "--json")
        self.assertEqual(done.status, 0, done)
        self.assertTrue(done.document()["whole"])
        self.assertGreater(done.document()["lines"], int(kept.split(":")[0]))
        settle(self.manager, "decisions")
        both = self.verify(self.log_file().parent, "--json")
        self.assertEqual(both.status, 0, both)
        self.assertEqual({log: checked["whole"] for log, checked in both.document()["logs"].items()},
                         {"audit": True, "decisions": True})
        self.assertGreater(both.document()["logs"]["decisions"]["lines"], 1)

    def test_an_edit_of_either_log_is_found_in_the_directory(self):
        for _ in range(3):
            self.manager.run_code("1")
        for log in ("audit", "decisions"):
            settle(self.manager, log)
        for log in ("audit", "decisions"):
            with tempfile.TemporaryDirectory() as directory:
                copy = pathlib.Path(directory, "audit")
                shutil.copytree(self.log_file().parent, copy)
                self.assertEqual(self.verify(copy).status, 0)
                lines = (copy / f"{log}.jsonl").read_bytes().splitlines(keepends=True)
                (copy / f"{log}.jsonl").write_bytes(b"".join(lines[:1] + lines[2:]))
                done = self.verify(copy, "--json")
                self.assertEqual((done.status, done.document()["whole"]), (1, False))
                self.assertEqual({name for name, each in done.document()["logs"].items() if not each["whole"]}, {log})
                text = self.verify(copy)
                self.assertEqual(text.status, 1)
                self.assertIn(b"none was changed", text.out)  # of the other one

    def test_a_log_that_was_taken_away_is_missed_in_the_directory(self):
        self.manager.run_code("1")
        for name in ("audit", "decisions"):
            settle(self.manager, name)
            wait_for((self.log_file().parent / f"{name}.head").exists)
        with tempfile.TemporaryDirectory() as copy:
            for name in ("audit", "decisions"):
                shutil.copytree(self.log_file().parent, copy, dirs_exist_ok=True)
                self.assertEqual(self.verify(copy).status, 0)
                (pathlib.Path(copy) / f"{name}.jsonl").unlink()
                done = self.verify(copy)
                self.assertEqual(done.status, 1, done)
                self.assertIn(f"{name}.jsonl is missing".encode(), done.err)
                self.assertIs(self.verify("--json", copy).document()["logs"][name]["whole"], False)

    def test_requests_that_bring_no_id_have_one_in_the_audit(self):
        session = self.manager.capsule("session", "new").out.decode().strip()
        child = self.manager.spawn("exec", "--events", session, "-c", WAITER)
        run = read_event(child, "output")["run_id"]
        self.manager.capsule("stacks", run)
        self.manager.capsule("cancel", run)
        child.communicate()
        self.manager.capsule("inspect", session)
        with self.manager.raw() as client:
            client.hello()
            client.send({"type": "tap", "id": 1, "session": session, "on": True})
            client.receive_of("ack")
        with tempfile.NamedTemporaryFile() as file:
            self.assertEqual(self.manager.capsule("cp", file.name, f"{session}:there").status, 0)
        self.manager.capsule("session", "rm", session)
        for action in ("run.stack", "run.cancel", "session.inspect", "session.tap", "files.store"):
            record = self.wait_record(action, outcome="ok")
            self.assertRegex(record.get("request_id", ""), r"^[0-9a-f]{8}-[0-9a-f]{4}-7", record)

    def test_random_edits_of_a_real_log_are_all_found(self):
        for _ in range(5):
            self.manager.run_code("1")
        settle(self.manager)
        kept, original = head(self.manager), self.log_file().read_bytes()
        original = original[:original.index(b"\n" + f'{{"seq":{int(kept.split(":")[0]) + 1},'.encode()) + 1] \
            if f'{{"seq":{int(kept.split(":")[0]) + 1},'.encode() in original else original
        chance = random.Random(5)
        with tempfile.TemporaryDirectory() as directory:
            copy = pathlib.Path(directory, "audit.jsonl")
            tried = 0
            while tried < 60:
                lines = original.splitlines(keepends=True)
                edit = chance.randrange(5)
                at = chance.randrange(len(lines))
                if edit == 0:
                    line = bytearray(lines[at])
                    line[chance.randrange(len(line))] ^= 1 + chance.randrange(255)
                    lines[at] = bytes(line)
                elif edit == 1:
                    del lines[at]
                elif edit == 2:
                    lines.insert(chance.randrange(len(lines)), lines[at])
                elif edit == 3:
                    other = chance.randrange(len(lines))
                    lines[at], lines[other] = lines[other], lines[at]
                else:
                    lines = [b"".join(lines)[:chance.randrange(len(original))]]
                if b"".join(lines) == original:
                    continue
                tried += 1
                copy.write_bytes(b"".join(lines))
                done = self.verify(copy, "--head", kept)
                self.assertEqual(done.status, 1, (edit, at, done))

    def test_policy_violations_and_decisions_are_counted(self):
        before = self.metric('capsule_policy_violations_total{policy="profile"}')
        self.manager.capsule("run", "--profile", "nosuch", "-c", "1")
        self.assertEqual(self.metric('capsule_policy_violations_total{policy="profile"}'), before + 1)
        self.assertGreater(self.metric('capsule_admission_decisions_total{decision="refused"}'), 0)
        self.assertGreater(self.metric('capsule_audit_records_total{log="audit"}'), 0)

    arguments = ("--http", "127.0.0.1:0")

    def metric(self, series):
        import urllib.request
        address = self.manager.info("manager")["manager"]["http"]
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=20) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(series + " "):
                    return float(line.split()[-1])
        raise AssertionError(f"no {series}")


class AuditLifeTest(unittest.TestCase):
    """Each with a manager of its own: they end it."""

    def manager(self, config=SMALL):
        manager = Manager(config)
        self.addCleanup(manager.kill)
        return manager.start()

    def verify(self, manager, *arguments):
        return manager.capsule("audit", "verify", *arguments)

    def end(self, manager):
        manager.signal(signal.SIGTERM)
        self.assertEqual(manager.wait_gone(), 0)

    def test_the_chain_goes_on_over_a_kill_and_a_torn_line_is_repaired_and_said(self):
        manager = self.manager()
        manager.run_code("1")
        settle(manager)
        directory = pathlib.Path(manager.info("manager")["manager"]["audit"]["directory"])
        kept = head(manager)
        manager.signal(signal.SIGKILL)
        manager.wait_gone()
        with open(directory / "audit.jsonl", "ab") as log:
            log.write(b'{"seq":99,"prev":"12')
        self.assertEqual(self.verify(manager, directory / "audit.jsonl").status, 1)
        manager.start()
        manager.run_code("2")
        settle(manager)
        self.assertEqual(self.verify(manager, directory, "--head", kept).status, 0)
        self.assertEqual([r["torn_bytes"] for r in actions(manager, "file.mended")], [20])
        self.assertEqual(len(actions(manager, "manager.start")), 2)
        self.assertIn("taken off", manager.log())
        manager.stop()

    def test_runs_that_a_killed_manager_left_are_finished_in_the_log_of_the_next(self):
        manager = self.manager()
        child = manager.spawn("run", "--events", "--request-id", "cut-1", "-c", WAITER)
        run = read_event(child, "output")["run_id"]
        manager.signal(signal.SIGKILL)
        manager.wait_gone()
        manager.end_commands()
        manager.start()
        found = wait_for(lambda: [r for r in actions(manager, "run.finish") if r["object"] == f"run:{run}"], 10, "its end")
        self.assertEqual([(r["outcome"], r["request_id"], r["uid"]) for r in found],
                         [("aborted", "cut-1", processes.os.getuid())])
        events = manager.capsule("trace", "--json", run).document()
        self.assertEqual(events["verdict"], "aborted")
        self.assertEqual([e["event"] for e in events["events"]][:2], ["submitted", "queued"])
        manager.stop()

    def test_a_log_that_was_taken_away_is_missed_by_the_next_manager_and_by_verify(self):
        manager = self.manager()
        manager.run_code("1")
        settle(manager)
        directory = pathlib.Path(manager.info("manager")["manager"]["audit"]["directory"])
        self.end(manager)
        kept = int((directory / "audit.head").read_text().split(":")[0])
        (directory / "audit.jsonl").unlink()
        manager.start()
        self.assertIn("was taken away", manager.log())
        begin = records(manager)[0]
        self.assertEqual((begin["seq"], begin["why"]), (kept + 1, "after_damage"))
        self.assertEqual(manager.info("manager")["manager"]["audit"]["logs"]["audit"]["damages"], 1)
        found = self.verify(manager, directory)
        self.assertEqual(found.status, 1, found)
        self.assertIn(f"line {kept + 1} of the log says".encode(), found.err)
        self.assertEqual(self.verify(manager, "--first", str(kept + 1), directory).status, 0)
        manager.stop()

    def test_a_head_that_is_damaged_is_named_with_what_to_do(self):
        manager = self.manager()
        manager.run_code("1")
        self.end(manager)
        head_file = pathlib.Path(manager.directory, "state", "audit", "audit.head")
        head_file.write_text("nonsense")
        done = self.verify(manager, head_file.parent)
        self.assertEqual(done.status, 125, done)
        self.assertIn(f"{head_file} is damaged".encode(), done.err)
        self.assertIn(b"--head", done.err)

    def test_a_directory_that_is_removed_while_it_is_written_is_made_again_and_missed(self):
        manager = self.manager()
        manager.run_code("1")
        settle(manager)
        directory = pathlib.Path(manager.info("manager")["manager"]["audit"]["directory"])
        shutil.rmtree(directory)
        manager.run_code("2")
        settled = wait_for(lambda: (directory / "audit.jsonl").exists() and actions(manager, "run.finish"), 10, "a new log")
        self.assertEqual(len(settled), 1)
        self.assertEqual(records(manager)[0]["why"], "after_damage")
        self.assertIn("was removed while it was written", manager.log())
        self.assertEqual(self.verify(manager, directory).status, 1)
        manager.stop()

    def test_the_head_is_said_at_shutdown_and_holds_for_the_file(self):
        manager = self.manager()
        manager.run_code("1")
        manager.signal(signal.SIGTERM)
        self.assertEqual(manager.wait_gone(), 0)
        said = {r["log"]: r["head"] for r in map(json.loads, manager.log().splitlines()) if r["msg"] == "audit log closed"}
        log = pathlib.Path(manager.directory, "state", "audit", "audit.jsonl")
        self.assertEqual(self.verify(manager, log, "--head", said["audit"]).status, 0)
        self.assertEqual(json.loads(log.read_text().splitlines()[-1])["action"], "manager.stop")
        self.assertIn("decisions", said)

    def test_full_files_are_set_aside_and_verify_as_one_chain(self):
        manager = self.manager(SMALL + "[audit]\nfile_bytes = 1500\n")
        for _ in range(10):
            manager.run_code("1")
        settle_directory = pathlib.Path(manager.info("manager")["manager"]["audit"]["directory"])
        kept = head(manager)
        self.assertGreater(len(list(settle_directory.glob("audit-*.jsonl"))), 1)
        wait_for(lambda: self.verify(manager, settle_directory, "--head", kept).status == 0, 10, "a whole log")
        manager.stop()

    def test_a_manager_without_a_place_for_its_logs_serves_and_says_so(self):
        manager = Manager(arguments=("--http", "127.0.0.1:0"))
        self.addCleanup(manager.kill)
        state = pathlib.Path(manager.directory, "state")
        state.mkdir(mode=0o700)
        for name in ("audit", "records"):
            (state / name).write_text("in the way")
        manager.start()
        manager.run_code("1")
        self.assertEqual(evidence(manager), {"audit": 1, "records": 1})
        degraded = manager.info("manager")["manager"]["degraded"]
        self.assertEqual(len([each for each in degraded if each.startswith("there is no audit log: ")]), 1, degraded)
        self.assertEqual(len([each for each in degraded if each.startswith("runs are not recorded: ")]), 1, degraded)
        manager.stop()

    def test_a_log_that_is_gone_with_its_head_is_missed_by_who_kept_the_head(self):
        manager = self.manager(SMALL)
        manager.run_code("1")
        directory = pathlib.Path(manager.info("manager")["manager"]["audit"]["directory"])
        kept = head(manager)
        copy = pathlib.Path(manager.directory, "copy")
        shutil.copytree(directory, copy)
        for name in ("audit.jsonl", "audit.head"):
            (copy / name).unlink(missing_ok=True)
        done = self.verify(manager, copy, "--head", kept)
        manager.stop()
        self.assertNotEqual(done.status, 0, done)
        self.assertIn(b"audit.jsonl is missing", done.out + done.err)

    def test_decisions_that_are_gone_with_their_head_are_missed_by_the_next_manager(self):
        manager = self.manager()
        manager.run_code("1")
        settle(manager, "decisions")
        directory = pathlib.Path(manager.info("manager")["manager"]["audit"]["directory"])
        self.end(manager)
        for name in ("decisions.jsonl", "decisions.head"):
            (directory / name).unlink()
        found = self.verify(manager, directory)
        self.assertEqual(found.status, 1, found)
        self.assertIn(b"decisions.jsonl is missing", found.err)
        manager.start()
        self.assertIn("decisions.jsonl was taken away", manager.log())
        self.assertEqual(records(manager, "decisions")[0]["why"], "after_damage")
        logs = manager.info("manager")["manager"]["audit"]["logs"]
        self.assertEqual((logs["audit"]["damages"], logs["decisions"]["damages"]), (0, 1))
        self.assertEqual(self.verify(manager, directory).status, 1)
        manager.stop()

    def test_a_fifo_is_no_log_and_nobody_waits_for_it(self):
        manager = Manager()
        self.addCleanup(manager.kill)
        audit = pathlib.Path(manager.directory, "state", "audit")
        audit.mkdir(mode=0o700, parents=True)
        audit.parent.chmod(0o700)
        for name in ("audit.jsonl", "decisions.head"):
            os.mkfifo(audit / name)
            done = self.verify(manager, audit / name)
            self.assertIn(done.status, (1, 125), done)
            self.assertIn(b"not a regular file", done.err)
        manager.start()
        manager.run_code("1")
        settle(manager)
        self.assertEqual(records(manager)[0]["why"], "after_damage")
        manager.stop()

    def test_what_is_kept_is_not_degraded_and_what_is_lost_is_until_it_is_kept_again(self):
        manager = Manager(arguments=("--http", "127.0.0.1:0"))
        self.addCleanup(manager.kill)
        manager.start()
        manager.run_code("1")
        self.assertEqual(evidence(manager), {"audit": 0, "records": 0})
        directory = pathlib.Path(manager.info("manager")["manager"]["audit"]["directory"])
        shutil.rmtree(directory)
        directory.write_text("in the way")
        manager.run_code("1")
        wait_for(lambda: evidence(manager) == {"audit": 1, "records": 0}, 10, "a log that is missed")
        directory.unlink()
        manager.run_code("1")
        wait_for(lambda: evidence(manager) == {"audit": 0, "records": 0}, 10, "a log that goes on")
        manager.stop()

    def test_a_log_that_is_switched_off_is_not_kept(self):
        manager = Manager(SMALL + "[audit]\nfile_bytes = 0\ndecision_file_bytes = 0\n[records]\nmax_runs = 0\n",
                          arguments=("--http", "127.0.0.1:0"))
        self.addCleanup(manager.kill)
        manager.start()
        manager.run_code("1")
        self.assertEqual(evidence(manager), {"audit": 0, "records": 0})  # nobody wants them
        self.assertEqual(manager.info("manager")["manager"]["audit"]["logs"], {})
        self.assertFalse(pathlib.Path(manager.directory, "state", "audit").exists())
        manager.stop()


if __name__ == "__main__":
    unittest.main()
