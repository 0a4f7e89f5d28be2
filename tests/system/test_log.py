"""The manager's own log: one record a line whatever users send, its level at run time, and a reader that is stuck."""
import json
import os
import pathlib
import signal
import socket
import threading
import unittest

from processes import wait_for
from support import SMALL, Manager

QUEUE = 8192  # kLogQueueRecords


def lines(manager):
    return [json.loads(line) for line in manager.log_file.read_text().splitlines()]


class LogTest(unittest.TestCase):
    def manager(self, *arguments, environment=None, before_start=lambda manager: None):
        manager = Manager(SMALL, arguments, environment)
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
        def into_fifo(manager):
            fifo = pathlib.Path(manager.directory, "fifo")
            os.mkfifo(fifo)
            reader = os.open(fifo, os.O_RDWR)  # held open, never read
            self.addCleanup(os.close, reader)
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


if __name__ == "__main__":
    unittest.main()
