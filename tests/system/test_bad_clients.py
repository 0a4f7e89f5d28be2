"""Clients that vanish, never read, or take their time. Nothing of theirs stays, and nobody else notices."""
import time
import unittest

import wire
from processes import wait_for
from support import SMALL, ManagerCase

CONFIG = SMALL + """
[client]
hello_timeout_s = 0.5
partial_frame_timeout_s = 0.5
stalled_timeout_s = 1
send_buffer_bytes = 65536
max_connections = 40
frames_per_s = 200
frame_burst = 100
[run]
grace_s = 0.3
"""


class BadClientsTest(ManagerCase):
    config = CONFIG

    def runs_under_way(self):
        return [r for r in self.manager.info("runs")["runs"] if r["state"] != "finished"]

    def assert_no_runs_left(self):
        wait_for(lambda: not self.runs_under_way(), what="no run is left")
        self.assert_next_run_works()

    def test_a_client_may_vanish_at_any_byte_of_its_conversation(self):
        request = wire.frame({"type": "execute", "id": 1, "mode": "script", "standard_input": True,
                              "code": b"import sys; print('x' * 100000); sys.stdin.read()"})
        conversation = wire.frame(wire.HELLO) + request
        for size in (0, 1, 4, 5, 50, len(conversation) - len(request), len(conversation) - 1, len(conversation)):
            with self.manager.raw() as client:
                client.send_bytes(conversation[:size])
        self.assert_no_runs_left()

    def test_a_client_may_vanish_after_each_answer(self):
        for answers in range(1, 6):
            with self.manager.raw() as client:
                client.hello()
                client.execute("while True: print('x' * 100)")
                for _ in range(answers):
                    client.receive()
        self.assert_no_runs_left()

    def test_a_client_may_vanish_amid_its_input(self):
        with self.manager.raw() as client:
            client.hello()
            run_id = client.execute("import sys; sys.stdin.read()", standard_input=True)
            client.send({"type": "input", "run_id": run_id, "data": b"half"})
        self.assert_no_runs_left()

    def test_a_client_may_vanish_with_runs_in_the_queue(self):
        with self.manager.raw() as client:
            client.hello()
            for _ in range(20):
                client.execute("import time; time.sleep(600)")
        self.assert_no_runs_left()

    def test_a_connection_that_never_says_hello_is_closed(self):
        with self.manager.raw(timeout=10) as client:
            self.assertIn([m["type"] for m in client.rest()], (["hello", "error"], ["error"], ["hello"], []))

    def test_a_byte_now_and_then_is_not_a_frame_in_time(self):
        with self.manager.raw(timeout=10) as client:
            client.hello()
            started = time.monotonic()
            try:
                for byte in wire.frame({"type": "ping", "id": 1}):
                    client.send_bytes(bytes([byte]))
                    time.sleep(0.1)
            except (BrokenPipeError, ConnectionResetError):
                pass
            self.assertNotIn("ack", [m["type"] for m in client.rest()])
            self.assertLess(time.monotonic() - started, 6)

    def test_slow_frames_within_the_time_are_taken(self):
        with self.manager.raw() as client:
            client.hello()
            data = wire.frame({"type": "ping", "id": 3})
            client.send_bytes(data[:5])
            time.sleep(0.1)
            client.send_bytes(data[5:])
            self.assertEqual(client.receive_of("ack")["re"], 3)

    def test_a_client_that_never_reads_is_closed_and_its_run_ends(self):
        with self.manager.raw() as client:
            client.hello()
            run_id = client.execute("while True: print('x' * 1000)")
            found = wait_for(lambda: (r := self.manager.find_run(run_id)) and r["state"] == "finished" and r, 20,
                             "the run has ended")
            self.assertEqual(found["verdict"], "cancelled")
            client.rest()  # ends, for the manager has closed it

    def test_more_frames_than_allowed_are_slowed_down_and_none_is_lost(self):
        with self.manager.raw(timeout=30) as client:
            client.hello()
            started = time.monotonic()
            client.send_bytes(b"".join(wire.frame({"type": "ping", "id": n}) for n in range(300)))
            answers = [client.receive_of("ack")["re"] for _ in range(300)]
            self.assertEqual(answers, list(range(300)))
            self.assertGreater(time.monotonic() - started, 0.5)

    def test_more_connections_than_allowed_are_refused_and_room_comes_back(self):
        clients = [self.manager.raw() for _ in range(60)]
        try:
            for client in clients[:30]:
                client.hello()
        finally:
            for client in clients:
                client.close()
        wait_for(lambda: self.manager.capsule("run", "-c", "print('next')").out == b"next\n", what="room again")

    def test_runs_of_one_connection_may_be_under_way_at_once(self):
        with self.manager.raw() as client:
            client.hello()
            for number in range(5):
                client.send({"type": "execute", "id": 10 + number, "mode": "script", "code": b"print('hi')"})
            accepted, finished = {}, {}
            while len(finished) < 5:
                answer = client.receive_of("accepted", "finished")
                if answer["type"] == "accepted":
                    accepted[answer["run_id"]] = answer["re"]
                else:
                    finished[answer["run_id"]] = answer["verdict"]
        self.assertEqual(sorted(accepted.values()), [10, 11, 12, 13, 14])
        self.assertEqual(set(finished), set(accepted))
        self.assertEqual(set(finished.values()), {"ok"})


class MemoryTest(ManagerCase):
    """What a client does not read, or sends without end, does not pile up in the manager."""

    config = SMALL.replace("warm = 2", "warm = 1\nmax = 2", 1) + \
        "[client]\nsend_buffer_bytes = 1048576\nmax_uid_code_bytes = 33554432\nframes_per_s = 0\n" \
        "[queue]\ncode_bytes = 67108864\n"

    def resident_bytes(self):
        with open(f"/proc/{self.manager.pid}/status") as status:
            return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))

    def test_displays_wait_for_a_client_that_does_not_read(self):
        code = ("from capsule import display\nimport sys\nfor i in range(200):\n    display(str(i) + 'x' * 1000000)\n"
                "    if i % 10 == 0: open(str(i), 'w').close()\n")
        before = self.resident_bytes()
        with self.manager.raw() as client:
            client.hello()
            client.execute(code)
            wait_for(lambda: self.resident_bytes() > before + (1 << 20), 20, "some displays")
            for _ in range(20):  # what is still to come, comes
                self.manager.info("manager")
            self.assertLess(self.resident_bytes(), before + (20 << 20))
            messages = client.messages_until_finished()
        shown = [m["data"]["text/plain"][:8].decode().split("x")[0].strip("'") for m in messages if m["type"] == "display"]
        self.assertEqual((messages[-1]["verdict"], shown), ("ok", [str(i) for i in range(200)]))

    def test_a_program_that_waits_in_display_can_be_interrupted(self):
        session = self.manager.capsule("session", "new").out.decode().strip()
        self.addCleanup(self.manager.capsule, "session", "rm", session)
        code = "from capsule import display\nkept = 1\nwhile True: display('x' * 1000000)"
        with self.manager.raw() as client:
            client.hello()
            client.execute(code, session=session, mode="cell", timeout_ms=300)
            wait_for(lambda: not self.manager.info("queue")["queue"]["running"], 20, "the end of the run")
            finished = client.messages_until_finished()[-1]
        self.assertEqual((finished["verdict"], finished["evidence"]["rung"]), ("timeout", "interrupt"), finished)
        self.assertEqual(self.manager.exec(session, "kept")["result"]["text/plain"], "1")

    def test_who_asks_without_reading_is_refused_and_then_closed(self):
        before = self.resident_bytes()
        with self.manager.raw() as client:
            client.hello()
            ask = wire.frame({"type": "info", "id": 7})
            try:
                for _ in range(1500):  # of which each answer has some 30 kB
                    client.send_bytes(ask)
            except (BrokenPipeError, ConnectionResetError):
                pass
            self.manager.info("manager")
            self.assertLess(self.resident_bytes(), before + (20 << 20))
        self.assert_next_run_works()

    def test_the_code_of_queued_runs_is_bounded(self):
        big = b"input()" + b"#" * (11 << 20)
        with self.manager.raw() as client, self.manager.raw() as other:
            client.hello()
            other.hello()
            busy = [client.execute("input()", standard_input=True) for _ in range(2)]
            answers = [other.execute(big) for _ in range(3)]
            self.assertIsInstance(answers[1], str)
            self.assertIn("client.max_uid_code_bytes", answers[2]["message"])
            for run in busy:
                client.send({"type": "input", "run_id": run, "data": b"\n", "eof": True})
        self.assert_next_run_works()


if __name__ == "__main__":
    unittest.main()
