"""The manager's own log: one record a line whatever users send, its level at run time, and a reader that is stuck."""
import contextlib
import json
import os
import pathlib
import pty
import re
import signal
import socket
import threading
import unittest

from processes import wait_for
from support import SMALL, Manager, last_event, read_event

QUEUE = 8192  # kLogQueueRecords
WAITER = "import time; print('up', flush=True); time.sleep(60)"
HEARTBEATS = "[worker]\nheartbeat_interval_s = 0.2\n"


def lines(manager):
    return [json.loads(line) for line in manager.log_file.read_text().splitlines()]


class LogTest(unittest.TestCase):
    def manager(self, *arguments, environment=None, before_start=lambda manager: None, config=SMALL):
        manager = Manager(config, arguments, environment)
        self.addCleanup(manager.kill)
        before_start(manager)
        return manager.start()

    def test_every_line_is_one_record_whatever_users_put_into_names(self):
        manager = self.manager("--log-level", "debug")
        for name in ('a\nlevel=error msg="forged"', '{"level":"error"}', "\x1b[31mred\r\n", "x" * 60):
            manager.capsule("run", "--profile", name, "-c", "1")
            manager.capsule("exec", name, "-c", "1")
            manager.capsule("session", "new", name)
        with manager.raw() as client:
            client.hello()
            client.send({"type": "nosuch\n{}", "id": 1})
            client.rest()
        records = lines(manager)  # each line is a JSON object, or this fails
        self.assertTrue(all({"time", "level", "msg"} <= set(r) for r in records))
        self.assertFalse([r for r in records if r["level"] == "error"])
        manager.stop()

    def test_lines_about_a_run_of_a_session_have_all_three_ids_whoever_writes_them(self):
        manager = self.manager("--log-level", "debug", config=SMALL + HEARTBEATS)
        session = manager.capsule("session", "new").out.decode().strip()
        manager.exec(session, "x = 1")
        child = manager.spawn("exec", "--events", "--request-id", "lost-1", session, "-c", WAITER)
        run = read_event(child, "output")["run_id"]
        worker = next(w for w in manager.info("workers")["workers"] if w["run_id"] == run)
        os.kill(worker["pid"], signal.SIGSTOP)
        self.assertEqual(last_event(child)["verdict"], "worker_lost")
        expected = {"run accepted", "worker misses heartbeats", "session went back", "run finished"}

        def told():
            return {r["msg"]: r for r in lines(manager) if r.get("session") == session and r.get("run_id") == run}

        wait_for(lambda: expected <= set(told()), 10, "all lines of the run")
        for record in told().values():
            self.assertEqual(record["request_id"], "lost-1", record)
        run = self.end_keeper_under(manager, session)
        ends = ("a capsule ended by itself", "keeper closed its link")  # whichever is noticed first
        record = wait_for(lambda: next((r for r in lines(manager) if r["msg"] in ends), None), 10, "the end of the capsule")
        self.assertEqual((record["session"], record["run_id"]), (session, run))
        stray = [r for r in lines(manager) if r["msg"] in expected and not r.get("run_id")]
        self.assertEqual(stray, [])
        manager.stop()

    def end_keeper_under(self, manager, session):
        """A run whose capsule goes away; its id."""
        child = manager.spawn("exec", "--events", session, "-c", WAITER)
        run = read_event(child, "output")["run_id"]
        worker = next(w for w in manager.info("workers")["workers"] if w["run_id"] == run)
        status = pathlib.Path(f"/proc/{worker['pid']}/status").read_text()
        os.kill(int(re.search(r"^PPid:\s+(\d+)", status, re.MULTILINE)[1]), signal.SIGKILL)
        self.assertEqual(last_event(child)["verdict"], "worker_lost")
        return run

    def test_lines_about_snapshots_have_their_session(self):
        manager = self.manager("--log-level", "debug")
        session = manager.capsule("session", "new", "--rollback", "always").out.decode().strip()
        run = manager.exec(session, "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()")
        manager.exec(session, "1")  # would have a snapshot before it
        record = wait_for(lambda: next((r for r in lines(manager) if r["msg"] == "no snapshot could be taken"), None), 10,
                          "a refused snapshot")
        self.assertEqual((record["session"], record["run_id"]), (session, run["run_id"]))
        manager.stop()

    def test_a_reload_changes_the_level_unless_the_command_line_has_one(self):
        for arguments, becomes_debug in (((), True), (("--log-level", "info"), False)):
            manager = self.manager(*arguments)
            manager.config_file.write_text(SMALL + '[server]\nlog_level = "debug"\n')
            manager.signal(signal.SIGHUP)
            wait_for(lambda: any(r["msg"].startswith("reload: the new") for r in lines(manager)), 10, "the reload")
            run = manager.run_code("1")["run_id"]
            manager.signal(signal.SIGTERM)
            manager.wait_gone()
            found = [r for r in lines(manager) if r["level"] == "debug" and r.get("run_id") == run]
            self.assertEqual(bool(found), becomes_debug, arguments)

    def test_the_heads_of_the_audit_logs_are_said_at_the_end_whatever_the_level(self):
        manager = self.manager("--log-level", "error")
        manager.signal(signal.SIGTERM)
        self.assertEqual(manager.wait_gone(), 0)
        said = {r["log"]: r["head"] for r in lines(manager) if r["msg"] == "audit log closed"}
        self.assertEqual(set(said), {"audit", "decisions"})

    def test_on_a_terminal_it_is_logfmt_with_the_time(self):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        path = os.ttyname(theirs)

        def onto_terminal(manager):
            manager.wrapper = ["bash", "-c", f'exec "$@" 2>"{path}"', "bash"]

        manager = self.manager(before_start=onto_terminal)
        os.close(theirs)
        self.assertRegex(os.read(ours, 65536).decode().splitlines()[0], r"^\d{4}-\d\d-\d\dT[\d:.]+Z info msg=")
        manager.stop()

    def test_under_the_journal_it_is_logfmt_with_priorities_and_without_the_time(self):
        def into_journal(manager):
            manager.log_file.touch()
            facts = manager.log_file.stat()
            manager.environment["JOURNAL_STREAM"] = f"{facts.st_dev}:{facts.st_ino}"

        manager = self.manager("--log-level", "debug", before_start=into_journal)
        manager.run_code("1")
        manager.signal(signal.SIGTERM)
        self.assertEqual(manager.wait_gone(), 0)
        text = manager.log_file.read_text().splitlines()
        self.assertEqual([line for line in text if not re.match(r"^<[3467]>msg=", line)], [])
        self.assertTrue({"<6>", "<7>"} <= {line[:3] for line in text})

    def test_debug_is_switched_on_and_off_while_it_runs(self):
        manager = self.manager()
        manager.run_code("1")
        self.assertFalse([r for r in lines(manager) if r["level"] == "debug"])
        manager.signal(signal.SIGUSR1)
        wait_for(lambda: any(r.get("debug") == "on" for r in lines(manager)), 10, "debug on")
        run = manager.run_code("2")["run_id"]
        wait_for(lambda: any(r.get("run_id") == run and r["level"] == "debug" and "session" in r
                             for r in lines(manager)), 10, "a line of the run")
        manager.signal(signal.SIGUSR1)
        wait_for(lambda: any(r.get("debug") == "off" for r in lines(manager)), 10, "debug off")
        count = len(lines(manager))
        manager.run_code("3")
        self.assertEqual([r for r in lines(manager)[count:] if r["level"] == "debug"], [])
        manager.stop()

    def test_clients_that_break_the_protocol_cannot_flood_the_log(self):
        manager = self.manager()
        for _ in range(50):
            with manager.raw() as client:
                client.hello()
                client.send_bytes(b"\xff" * 8)
                client.rest()
        broke = [r for r in lines(manager) if r["msg"] == "client broke the protocol"]
        self.assertIn(len(broke), (1, 2))
        manager.stop()

    def test_a_stuck_reader_of_the_log_stops_nothing_and_the_loss_is_counted(self):
        readers = []

        def into_fifo(manager):
            fifo = pathlib.Path(manager.directory, "fifo")
            os.mkfifo(fifo)
            reader = os.open(fifo, os.O_RDWR)  # held open, and not read before the end
            self.addCleanup(os.close, reader)
            os.set_blocking(reader, False)
            readers.append(reader)
            manager.wrapper = ["bash", "-c", f'exec "$@" 2>"{fifo}"', "bash"]

        manager = self.manager("--log-level", "debug", "--http", "127.0.0.1:0", before_start=into_fifo)
        host, port = manager.info("manager")["manager"]["http"].rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=60) as client:
            requests = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n" * (QUEUE + 4096)
            last = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            sender = threading.Thread(target=client.sendall, args=(requests + last,))
            sender.start()
            answer = b""
            while piece := client.recv(1 << 20):
                answer = (answer + piece)[-(1 << 20):]
            sender.join()
        lost = [line for line in answer.splitlines() if line.startswith(b"capsule_log_lines_lost_total ")]
        self.assertGreater(float(lost[0].split()[1]), 0)
        self.assertEqual(manager.run_code("print(1)")["verdict"], "ok")
        manager.stop()
        said = b""
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(readers[0], 1 << 16):
                said += piece
        self.assertIn(b'"msg":"log lines were lost","lines":"', said)  # also those that nobody scraped


if __name__ == "__main__":
    unittest.main()
