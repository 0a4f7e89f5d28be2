"""Series of what clients may not do, or do to themselves: limits, cancels, policies, the proxy."""
import http.server
import re
import signal
import socket
import threading
import unittest

from moves import UP, MovesCase
from processes import wait_for
from support import SMALL, finish, read_event
from test_network import FETCH

BUSY = "import time; print(1, flush=True); time.sleep(60)"


class ClientMovesTest(MovesCase):
    config = SMALL.replace("warm = 2", "warm = 1\nmax = 1", 1) + """
[client]
frames_per_s = 100
frame_burst = 50
send_buffer_bytes = 65536
stalled_timeout_s = 0.5
max_sessions_per_uid = 1
[run]
grace_s = 0.2
inspect = "off"
[worker]
heartbeat_interval_s = 0.2
"""

    def test_a_client_that_asks_too_often(self):
        def ask():
            with self.manager.raw() as client:
                client.hello()
                for number in range(120):
                    client.send({"type": "ping", "id": number + 1})
                for _ in range(120):
                    client.receive_of("ack")

        self.assert_moves(ask, {
            "capsule_rate_limit_acquires_total": 121,
            "capsule_rate_limit_waits_total": UP,
            "capsule_rate_limit_wait_seconds_total": UP,
            "capsule_rate_limit_wakeups_total": UP,
        })

    def test_a_client_that_is_there(self):
        wait_for(lambda: self.value("capsule_clients_connected") == 0, 10, "no client")
        with self.manager.raw() as client:
            client.hello()
            self.assertEqual(self.value("capsule_clients_connected"), 1)
        wait_for(lambda: self.value("capsule_clients_connected") == 0, 10, "no client")

    def test_a_client_that_takes_nothing(self):
        def stall():
            with self.manager.raw() as client:
                client.hello()
                client.execute("while True: print('x' * 1000)")
                wait_for(lambda: self.value("capsule_output_drain_timeouts_total") > before, 20, "the end of its patience")

        before = self.value("capsule_output_drain_timeouts_total")
        self.assert_moves(stall, {
            "capsule_output_drain_timeouts_total": 1,
            "capsule_output_sent_bytes_total": UP,
            'capsule_cancels_total{reason="client_gone"}': 1,
        })
        self.assertGreater(self.value("capsule_output_queue_deepest_bytes"), 65536)
        self.assertGreater(self.value("capsule_output_enqueued_bytes_total"), self.value("capsule_output_sent_bytes_total"),
                           "what it did not take was not sent")

    def test_runs_that_are_ended_while_they_wait(self):
        holder = self.manager.spawn("run", "--events", "-c", "print(1, flush=True); input()")
        read_event(holder, "output")

        def leave():
            with self.manager.raw() as client:
                client.hello()
                client.execute("1")

        def cancel():
            with self.manager.raw() as client:
                client.hello()
                run_id = client.execute("1")
                self.assertEqual(self.manager.capsule("cancel", run_id).status, 0)

        never = {"capsule_run_duration_seconds_count": 0, 'capsule_runs_total{profile="base",verdict="cancelled"}': 1}
        self.assert_moves(leave, {'capsule_cancels_total{reason="client_gone"}': 1, **never})
        self.assert_moves(cancel, {'capsule_cancels_total{reason="cancel"}': 1, **never})
        finish(holder, feed=b"\n")

    def test_a_session_that_is_idle_for_too_long(self):
        def wait_for_its_end():
            done = self.manager.capsule("session", "new", "--idle-timeout", "0.5")
            self.assertEqual(done.status, 0, done)

        self.assert_moves(wait_for_its_end, {
            'capsule_sessions_closed_total{reason="idle"}': 1,
            'capsule_sessions_closed_total{reason="removed"}': 0,
            'capsule_log_messages_total{level="info"}': UP,
        })

    def test_runs_whose_session_is_closed(self):
        session = self.manager.capsule("session", "new").out.decode().strip()
        children = [self.manager.spawn("exec", "--events", session, "-c", BUSY)]
        read_event(children[0], "output")
        children.append(self.manager.spawn("exec", session, "-c", "1"))
        wait_for(lambda: self.manager.info("sessions")["sessions"][0]["queued"] == 1, 20, "a run that waits")
        self.assert_moves(lambda: self.manager.capsule("session", "rm", session), {
            'capsule_cancels_total{reason="cancel"}': 2,
            'capsule_cancels_total{reason="shutdown"}': 0,
        })
        for child in children:
            self.assertNotEqual(finish(child).status, 0)

    def test_requests_about_sessions_that_no_policy_allows(self):
        def policy(word):
            return f'capsule_policy_violations_total{{policy="{word}"}}'

        def refused(*arguments, **options):
            return lambda: self.assertNotEqual(self.manager.capsule(*arguments, **options).status, 0)

        self.assert_moves(refused("session", "new", "--profile", "none"), {policy("profile"): 1})
        self.assert_moves(refused("session", "rm", "none"), {policy("session"): 1})
        self.assert_moves(refused("exec", "none", "-c", "1"), {policy("session"): 1})
        self.assert_moves(refused("session", "new", "No Name"), {policy("request"): 1})
        session = self.new_session()
        self.assert_moves(refused("session", "new"), {policy("user_cap"): 1})
        self.assert_moves(refused("session", "fork", session), {policy("user_cap"): 1, 'capsule_forks_total{outcome="refused"}': 1})
        self.assert_moves(refused("inspect", session), {policy("inspect"): 1, policy("session"): 0})


class HttpMovesTest(MovesCase):
    def ask(self, request):
        """What comes back for these bytes."""
        host, port = self.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), 10) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def test_requests_that_cannot_be_read_are_in_the_metrics_and_in_the_log_under_their_id(self):
        self.manager.signal(signal.SIGUSR1)  # debug on
        self.addCleanup(self.manager.signal, signal.SIGUSR1)
        wait_for(lambda: "debug" in self.manager.log(), 10, "debug")
        head = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: unread-1\r\n"
        for status, request in ((413, head + b"Content-Length: 5000\r\n\r\n" + b"x" * 5000),
                                (431, head + b"X: " + b"x" * 9000 + b"\r\n\r\n"), (400, b"garbage\r\n\r\n")):
            with self.subTest(status):
                series = 'capsule_http_requests_total{code="4xx",method="other",route="other"}'
                before = self.samples().get(series, 0)
                answer = self.ask(request)
                self.assertTrue(answer.startswith(f"HTTP/1.1 {status} "), answer)
                self.assertEqual(self.samples().get(series), before + 1)
                request_id = re.search(r"X-Request-ID: (\S+)", answer)[1]
                wait_for(lambda: re.search(f'"msg":"http".*{request_id}.*"{status}"', self.manager.log()), 10, "its line")
                if status == 413:
                    self.assertEqual(request_id, "unread-1")


class WorkerCapMovesTest(MovesCase):
    config = SMALL + "[client]\nmax_workers_per_uid = 1\n"

    def test_workers_that_a_user_may_not_hold(self):
        session = self.new_session()
        self.assert_moves(lambda: self.assertNotEqual(self.manager.capsule("session", "new").status, 0),
                          {'capsule_policy_violations_total{policy="user_cap"}': 1})
        self.assert_moves(lambda: self.assertNotEqual(self.manager.capsule("session", "fork", session, "-n", "2").status, 0), {
            'capsule_policy_violations_total{policy="user_cap"}': 1,
            'capsule_forks_total{outcome="refused"}': 2,
        })


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class NetworkMovesTest(MovesCase):
    @classmethod
    def setUpClass(cls):
        server = http.server.HTTPServer(("127.0.0.1", 0), Quiet)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cls.addClassCleanup(server.server_close)
        cls.addClassCleanup(server.shutdown)
        cls.port = server.server_address[1]
        cls.config = SMALL + f'[profiles.base]\nnetwork = ["127.0.0.1:{cls.port}", "127.0.0.1:1"]\n'
        super().setUpClass()

    def test_what_the_proxy_allows_denies_and_cannot_reach(self):
        def fetch(port):
            return lambda: self.manager.run_code(FETCH + f"fetch('http://127.0.0.1:{port}/none')")

        self.assert_moves(fetch(self.port), {'capsule_proxy_requests_total{outcome="allowed"}': 1})
        self.assert_moves(fetch(1), {'capsule_proxy_requests_total{outcome="failed"}': 1})
        self.assert_moves(fetch(2), {
            'capsule_proxy_requests_total{outcome="denied"}': 1,
            'capsule_sandbox_denials_total{mechanism="network"}': 1,
        })


if __name__ == "__main__":
    unittest.main()
