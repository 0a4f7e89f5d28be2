"""Bytes that are not the protocol: one clear error, the connection ends, nothing else does."""
import os
import random
import struct
import unittest

import wire
from support import ManagerCase


def message(**fields):
    return wire.frame(fields)


class BadFramesTest(ManagerCase):
    def refusal(self, data, after_hello=True):
        """What the manager says to these bytes; it must be one error with `re` 0, and the end of the connection."""
        with self.manager.raw() as client:
            if after_hello:
                client.hello()
            try:
                client.send_bytes(data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            answers = [m for m in client.rest() if m["type"] != "hello"]
        self.assertEqual([m["type"] for m in answers], ["error"], answers)
        self.assertEqual(answers[0].get("re", 0), 0)
        self.assertTrue(answers[0]["message"])
        return answers[0]

    def test_lengths_of_zero_and_above_the_maximum(self):
        self.assertEqual(self.refusal(struct.pack(">I", 0))["code"], "invalid")
        self.assertEqual(self.refusal(struct.pack(">I", (16 << 20) + 1))["code"], "too_large")
        self.assertEqual(self.refusal(b"\xff" * 64)["code"], "too_large")

    def test_text_of_another_protocol(self):
        self.refusal(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", after_hello=False)

    def test_a_first_frame_larger_than_any_hello(self):
        self.refusal(struct.pack(">I", 5000) + b"x" * 5000, after_hello=False)

    def test_payloads_that_are_not_messages(self):
        bombs = [bytes([head]) + b"\xff" * 4 for head in (0xDD, 0xDF, 0xDB, 0xC6, 0xC9)]
        for payload in (b"\xc1", b"\xc0", b"\x80", b"\x90", b"junk", *bombs, b"\x91" * 1000,
                        wire.pack({"type": "ping", "id": 1}) + b"\x00"):
            with self.subTest(payload[:8]):
                self.refusal(wire.frame(payload))

    def test_messages_with_wrong_contents(self):
        for bad in ({"type": "no such type"}, {"type": "ping"}, {"type": "ping", "id": -1}, {"type": "ping", "id": "1"},
                    {"type": "ping", "id": 1, "more": 2}, {"id": 1, "type": "ping"}, {"type": 1},
                    {"type": "execute", "mode": "script", "code": "text, not bytes"},
                    {"type": "info", "id": 1, "sections": [1]}, {"type": "cancel", "run_id": b"bytes"},
                    {"type": "cancel", "run_id": "\udcff"}, {"type": "finished", "run_id": "r", "verdict": "maybe"}):
            with self.subTest(bad):
                self.refusal(wire.frame(bad))

    def test_names_reserved_for_later_are_answered_by_error(self):
        for name in ("snapshot", "wake", "checkpoint", "restore", "inspect", "call", "reply"):
            self.assertIn(name, self.refusal(message(type=name))["message"])

    def test_messages_that_only_the_manager_or_a_worker_sends(self):
        for bad in ({"type": "heartbeat", "seq": 1}, {"type": "finished", "run_id": "r", "verdict": "ok"},
                    {"type": "branch", "id": 1}, {"type": "exited", "pid": 1, "status": 0},
                    {"type": "result", "run_id": "r", "data": {}}):
            with self.subTest(bad["type"]):
                self.assert_refused(bad)

    def assert_refused(self, bad):
        with self.manager.raw() as client:
            client.hello()
            client.send(bad)
            self.assertEqual(client.receive_of("error")["type"], "error")

    def test_a_request_before_hello(self):
        self.refusal(message(type="ping", id=1), after_hello=False)

    def test_a_version_nobody_speaks(self):
        hello = dict(wire.HELLO, version=99)
        error = self.refusal(wire.frame(hello), after_hello=False)
        self.assertIn("1", error["message"])

    def test_unknown_features_are_ignored(self):
        with self.manager.raw() as client:
            client.send(dict(wire.HELLO, features=["time-travel"]))
            self.assertEqual(client.receive()["type"], "hello")
            client.send({"type": "ping", "id": 7})
            self.assertEqual(client.receive_of("ack")["re"], 7)

    def test_requests_that_cannot_be_taken_leave_the_connection_open(self):
        with self.manager.raw() as client:
            client.hello()
            for fields in ({"session": "nobodys"}, {"profile": "nonesuch"}, {"output_policy": "shout"},
                           {"run_id": "mine"}, {"session": "../../etc"}, {"mode": "sideways"}):
                answer = client.execute("1", **fields)
                self.assertIsInstance(answer, dict, fields)
                self.assertNotEqual(answer.get("re", 0), 0)
            client.send({"type": "session", "id": 9, "operation": "dance"})
            self.assertEqual(client.receive_of("error")["re"], 9)
            client.send({"type": "info", "id": 10, "sections": ["nonsense"]})
            self.assertEqual(client.receive_of("error", "document")["re"], 10)
            run_id = client.execute("print('fine')")
            self.assertIsInstance(run_id, str)
            self.assertEqual(client.messages_until_finished()[-1]["verdict"], "ok")

    def test_more_input_than_the_credit(self):
        with self.manager.raw() as client:
            client.hello()
            run_id = client.execute("import time; time.sleep(600)", standard_input=True)
            try:
                for _ in range(64):
                    client.send({"type": "input", "run_id": run_id, "data": b"x" * 65536})
            except (BrokenPipeError, ConnectionResetError):
                pass
            errors = [m for m in client.rest() if m["type"] == "error"]
        self.assertEqual(len(errors), 1)

    def test_random_bytes(self):
        seed = int.from_bytes(os.urandom(4), "big")
        with self.subTest(seed=seed):
            numbers = random.Random(seed)
            for _ in range(100):
                payload = numbers.randbytes(numbers.randrange(1, 200))
                with self.manager.raw() as client:
                    client.hello()
                    client.send(payload)
                    client.receive_of("error")

    def test_the_manager_works_on(self):
        self.assert_next_run_works()


if __name__ == "__main__":
    unittest.main()
