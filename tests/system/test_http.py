"""The HTTP listener of a real manager: what needs a key, what keys are worth, and what is written down of it."""
import http.client
import json
import os
import pathlib
import re
import select
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
import unittest

from processes import wait_for
from support import MANAGER, SMALL, ManagerCase

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


class HttpTest(ManagerCase):
    config = SMALL
    arguments = ("--http", "127.0.0.1:0")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.state = f"{cls.manager.directory}/state"
        cls.address = cls.manager.info("manager")["manager"]["http"]
        cls.key = cls.key_command("new", "tests").out.decode().strip()

    @classmethod
    def key_command(cls, *arguments):
        return cls.manager.capsule("key", *arguments, "--state-dir", cls.state)

    def get(self, path, method="GET", key=None, raw=False, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        connection = http.client.HTTPConnection(self.address, timeout=10)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            body = response.read()
            return response.status, body if raw else body.decode(), response.headers
        finally:
            connection.close()

    def audit(self):
        directory = self.manager.info("manager")["manager"]["audit"]["directory"]
        return [json.loads(line) for line in pathlib.Path(directory, "audit.jsonl").read_text().splitlines()]

    def test_metrics_health_and_version_need_no_key(self):
        for path in ("/metrics", "/health", "/health/live", "/health/ready", "/api/health", "/version", "/api/version"):
            self.assertEqual(self.get(path)[0], 200, path)

    def test_all_else_needs_one_and_says_so(self):
        for path in ("/", "/info", "/golden-signals", "/nonesuch", "/info/", "/../metrics"):
            status, text, headers = self.get(path)
            self.assertEqual((status, headers["WWW-Authenticate"]), (401, "Bearer"), path)
            self.assertIn("capsule key new", text)
            self.assertEqual(self.get(path, key=self.key[:-1])[0], 401)
            self.assertEqual(self.get(path, key=self.key)[0], 404 if path not in ("/", "/info", "/golden-signals") else 200)

    def keep_busy(self, stop):
        with self.manager.raw() as client:
            client.hello()
            while not stop.is_set():
                client.send({"type": "info", "id": 1})
                client.receive_of("document")

    def profile_reader(self, profile):
        """What Debian's google-pprof says of it."""
        with tempfile.NamedTemporaryFile() as file:
            file.write(profile)
            file.flush()
            return subprocess.run(["google-pprof", "--text", MANAGER, file.name], capture_output=True, timeout=120)

    def test_profiles_are_told_by_a_build_that_has_them_and_others_say_how_to_get_one(self):
        self.assertEqual(self.get("/debug/pprof/profile?seconds=1")[0], 401)
        for path in ("/debug/pprof/profile?seconds=2", "/debug/pprof/heap"):
            stop = threading.Event()
            work = threading.Thread(target=self.keep_busy, args=(stop,))  # without samples there is nothing to tell
            work.start()
            try:
                status, body, headers = self.get(path, key=self.key, raw=True)
            finally:
                stop.set()
                work.join()
            if status == 501:  # the usual build
                self.assertIn(b"-Dpprof=true", body)
                continue
            self.assertEqual((status, headers["Content-Type"]), (200, "application/octet-stream"), path)
            told = self.profile_reader(body)
            self.assertEqual(told.returncode, 0, told)
            self.assertIn(b"Total:", told.stdout)

    def test_ready_means_that_python_has_run(self):
        status, text, _ = self.get("/health/ready")
        document = json.loads(text)
        self.assertEqual((status, document["state"], document["ready"]), (200, "ready", True))
        self.assertGreaterEqual(document["python_ran_s"], 0)

    def test_version_has_commit_build_time_python_and_protocol(self):
        document = json.loads(self.get("/version")[1])
        self.assertEqual(document, json.loads(self.get("/api/version")[1]))
        self.assertRegex(document["commit"], r"^([0-9a-f]{40}(-dirty)?|unknown)$")
        self.assertRegex(document["built_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertTrue(document["python"].startswith("3."))
        self.assertEqual(document["protocol"], self.manager.info("manager")["manager"]["protocol"])

    def test_golden_signals_follow_the_metrics(self):
        before = json.loads(self.get("/golden-signals", key=self.key)[1])
        self.manager.capsule("run", "-c", "1")
        after = json.loads(self.get("/golden-signals", key=self.key)[1])
        self.assertEqual(after["traffic"]["runs"], before["traffic"]["runs"] + 1)
        latency = after["latency"]["run"]
        self.assertLessEqual(latency["p50_s"], latency["p95_s"])
        self.assertLessEqual(latency["p95_s"], latency["p99_s"])

    def test_info_is_that_of_the_command(self):
        document = json.loads(self.get("/info", key=self.key)[1])
        self.assertEqual(set(document), set(self.manager.info()))

    def test_a_request_id_is_kept_or_made_and_in_the_reply_and_the_audit(self):
        _, _, headers = self.get("/info", key=self.key, X_Request_ID="job-42")
        self.assertEqual(headers["X-Request-ID"], "job-42")
        made = self.get("/info", key=self.key, X_Request_ID="not one")[2]["X-Request-ID"]
        self.assertRegex(made, r"^[0-9a-f-]{36}$")

        def both():
            records = {r.get("request_id"): r for r in self.audit()}
            return {"job-42", made} <= set(records) and records["job-42"]

        wait_for(both, 10, "both requests in the audit log")
        record = both()
        self.assertEqual((record["key"], record["object"], record["outcome"]), ("tests", "route:/info", "allowed"))

    def test_keys_are_listed_without_what_opens_limited_and_removed(self):
        key = self.key_command("new", "slow", "--per-minute", "2").out.decode().strip()
        self.assertRegex(key, r"^capsule_[0-9a-f]{64}$")
        self.assertEqual([self.get("/", key=key)[0] for _ in range(3)], [200, 200, 429])
        listed = self.key_command("ls", "--json").out.decode()
        self.assertIn('"slow"', listed)
        self.assertNotIn(key[8:], listed)
        stored = pathlib.Path(self.state, "http-keys.json")
        self.assertNotIn(key[8:], stored.read_text())
        self.assertEqual(stat.S_IMODE(stored.stat().st_mode), 0o600)
        self.assertEqual(self.key_command("new", "slow").status, 125)
        self.assertEqual(self.key_command("rm", "slow").status, 0)
        self.assertEqual(self.get("/", key=key)[0], 401)
        self.assertEqual(self.key_command("rm", "slow").status, 125)

    def test_refusals_are_in_the_audit_and_counted(self):
        self.get("/info", key="capsule_wrong", X_Request_ID="intruder-1")
        self.get("/metrics", Host="evil.example")
        wait_for(lambda: any(r.get("request_id") == "intruder-1" and r["outcome"] == "refused"
                             and r["reason"] == "api_key" and "key" not in r for r in self.audit()), 10, "the refusal")
        text = self.get("/metrics")[1]
        for policy in ("api_key", "host"):
            value = re.search(rf'capsule_policy_violations_total\{{policy="{policy}"\}} (\S+)', text)[1]
            self.assertGreaterEqual(float(value), 1, policy)

    def test_nothing_can_be_changed(self):
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            self.assertEqual(self.get("/info", method, key=self.key)[0], 405)

    def test_requests_are_counted_by_method_route_and_code(self):
        self.get("/version")
        self.get("/nonesuch")
        text = self.get("/metrics")[1]
        self.assertRegex(text, r'capsule_http_requests_total\{[^}]*code="200"[^}]*route="/version"[^}]*\} [1-9]')
        self.assertRegex(text, r'capsule_http_requests_total\{[^}]*code="401"[^}]*route="other"[^}]*\} [1-9]')
        self.assertNotIn("nonesuch", text)

    def test_openmetrics_by_accept_is_what_prometheus_takes(self):
        status, text, headers = self.get("/metrics", Accept=OPENMETRICS)
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0"))
        self.assertTrue(text.endswith("\n# EOF\n"))
        plain = self.get("/metrics")[1]
        names = {line.split("{")[0].split(" ")[0] for line in plain.splitlines() if not line.startswith("#")}
        self.assertEqual({line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")},
                         names)

    def test_promtool_is_content_with_the_new_metrics(self):
        promtool = shutil.which("promtool")
        if promtool is None:
            self.skipTest("promtool is not installed")
        done = subprocess.run([promtool, "check", "metrics"], input=self.get("/metrics")[1], capture_output=True,
                              text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class UnixHttp(ManagerCase):
    directory = tempfile.mkdtemp(prefix="capsule-http-")
    path = f"{directory}/http.sock"
    arguments = ("--http", "127.0.0.1:0", "--http-socket", path)

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        left = os.path.exists(cls.path)
        shutil.rmtree(cls.directory)
        assert not left, "the socket was left behind"

    def get(self, path, key=None):
        connection = UnixConnection(self.path)
        try:
            connection.request("GET", path, headers={"X-API-Key": key} if key else {})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def test_the_same_is_served_on_a_unix_socket_of_the_owner_only(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        self.assertEqual(self.manager.info("manager")["manager"]["http_socket"], self.path)
        status, text = self.get("/metrics")
        self.assertEqual(status, 200)
        self.assertIn("capsule_build_info", text)
        self.assertEqual(self.get("/info")[0], 401)
        made = self.manager.capsule("key", "new", "unix", "--state-dir", f"{self.manager.directory}/state")
        status, text = self.get("/info", key=made.out.decode().strip())
        self.assertEqual((status, "pools" in json.loads(text)), (200, True))

    def test_slow_clients_there_are_cut_off_and_hold_nobody_up(self):
        slow = [socket.socket(socket.AF_UNIX) for _ in range(40)]
        try:
            for each in slow:
                each.connect(self.path)
            closed = [each for each in slow if select.select([each], [], [], 0.2)[0]]
            self.assertGreaterEqual(len(closed), 8)  # beyond 32
        finally:
            for each in slow:
                each.close()
        wait_for(lambda: self.get("/health/live")[0] == 200, 10, "an answer")


if __name__ == "__main__":
    unittest.main()
