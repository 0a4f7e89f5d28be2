"""The HTTP listener of a real manager: what needs a key, what keys are worth, and what is written down of it."""
import http.client
import json
import os
import pathlib
import re
import select
import shutil
import socket
import signal
import stat
import subprocess
import tempfile
import threading
import unittest

from processes import wait_for
from support import MANAGER, SMALL, Manager, ManagerCase

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


class HttpCase(ManagerCase):
    config = SMALL
    arguments = ("--http", "127.0.0.1:0", "--log-level", "debug")

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


class HttpTest(HttpCase):
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

    def test_a_build_without_profiles_says_how_to_get_one(self):
        self.assertEqual(self.get("/debug/pprof/profile?seconds=1")[0], 401)
        for path in ("/debug/pprof/profile?seconds=2", "/debug/pprof/heap"):
            status, body, _ = self.get(path, key=self.key)
            self.assertEqual(status, 501)
            self.assertIn("-Dpprof=true", body)

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
        session = self.manager.capsule("session", "new").out.decode().strip()
        self.addCleanup(self.manager.capsule, "session", "rm", session)
        self.manager.wait_settled()
        document = json.loads(self.get("/info", key=self.key)[1])
        of_command = self.manager.info()
        self.assertEqual(set(document), set(of_command))
        for told in (document, of_command):
            for pool in told["pools"]:  # what moves by itself
                for name in ("workers", "capsules", "spawn_us", "health_checks", "health_triggers", "zygote_age_s"):
                    pool.pop(name, None)
        self.assertEqual(document["pools"], of_command["pools"])
        self.assertEqual(document["limits"], of_command["limits"])
        self.assertEqual([s["uid"] for s in document["sessions"]], [os.getuid()], "sessions of all users")

    def test_a_request_id_is_kept_or_made_and_in_the_reply_and_the_audit(self):
        _, _, headers = self.get("/info", key=self.key, X_Request_ID="job-42")
        self.assertEqual(headers["X-Request-ID"], "job-42")
        made = self.get("/info", key=self.key, X_Request_ID="not one")[2]["X-Request-ID"]
        self.assertRegex(made, r"^[0-9a-f-]{36}$")

        def both():
            records = {r.get("request_id"): r for r in self.audit()}
            return {"job-42", made} <= set(records) and records["job-42"]

        wait_for(both, 10, "both requests in the audit log")
        logged = [line for line in map(json.loads, self.manager.log_file.read_text().splitlines())
                  if line.get("request_id") == "job-42"]
        self.assertEqual([(line["msg"], line["route"], line["status"]) for line in logged], [("http", "/info", "200")])
        record = both()
        self.assertEqual((record["key"], record["object"], record["outcome"]), ("tests", "route:/info", "allowed"))

    def test_limits_of_a_key_that_cannot_be_are_answered_with_what_can(self):
        for option, value, allowed in (("--per-minute", "0", b"1 to 60000"), ("--per-minute", "60001", b"1 to 60000"),
                                       ("--days", "3651", b"0 to 3650"), ("--days", "-1", b"--days")):
            done = self.key_command("new", "never", option, value)
            self.assertEqual(done.status, 2, done)
            self.assertIn(b"capsule: " + option.encode(), done.err)
            self.assertIn(allowed, done.err)
            self.assertNotIn(b"--key-", done.err)

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
        self.assertRegex(text, r'capsule_http_requests_total\{[^}]*code="2xx"[^}]*route="/version"[^}]*\} [1-9]')
        self.assertRegex(text, r'capsule_http_requests_total\{[^}]*code="4xx"[^}]*route="other"[^}]*\} [1-9]')
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


PROFILED = MANAGER.with_name("capsule-manager-profiled")


@unittest.skipUnless(PROFILED.exists(), "libgoogle-perftools-dev is not here, or a sanitiser is: nothing was built with it")
class ProfilesTest(HttpCase):
    """A manager that has gperftools in it."""

    program = PROFILED

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
            return subprocess.run(["google-pprof", "--text", PROFILED, file.name], capture_output=True, timeout=120)

    def test_profiles_are_what_google_pprof_reads(self):
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
            self.assertEqual((status, headers["Content-Type"]), (200, "application/octet-stream"), path)
            told = self.profile_reader(body)
            self.assertEqual(told.returncode, 0, told)
            self.assertIn(b"Total:", told.stdout)


def ask(manager, path):
    address = manager.info("manager")["manager"]["http"] if manager.http is None else manager.http
    manager.http = address
    connection = http.client.HTTPConnection(address, timeout=20)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


class HealthTest(unittest.TestCase):
    """Each with a manager of its own: what makes it ready, and what does not."""

    def manager(self, config):
        manager = Manager(config, ("--http", "127.0.0.1:0"))
        manager.http = None
        self.addCleanup(manager.kill)
        return manager.start()

    def test_a_manager_that_keeps_nothing_in_stock_proves_itself_when_it_is_asked(self):
        manager = self.manager('default_profile = "base"\n[pool]\nwarm = 0\ncapsules = 0\n')
        status, document = ask(manager, "/health")
        self.assertEqual((status, document["ready"], document["python_ran_s"]), (200, False, None))
        document = wait_for(lambda: (answer := ask(manager, "/health/ready"))[0] == 200 and answer[1], 20, "readiness")
        self.assertTrue(document["ready"])
        self.assertLess(document["python_ran_s"], 60)
        self.assertEqual(ask(manager, "/health")[1]["ready"], True)
        wait_for(lambda: not manager.info("workers")["workers"], 20, "the end of the worker that was made for it")
        self.assertEqual(ask(manager, "/health/ready")[0], 200)  # it need not run again
        self.assertEqual(manager.info("workers")["workers"], [])
        manager.stop()

    def test_one_that_shuts_down_is_alive_and_not_ready(self):
        manager = self.manager(SMALL)
        self.assertEqual(ask(manager, "/health/ready")[0], 200)
        child = manager.spawn("run", "-c", "print('up', flush=True); input()")
        self.assertEqual(child.stdout.readline(), b"up\n")
        manager.signal(signal.SIGTERM)
        wait_for(lambda: ask(manager, "/health")[1]["state"] == "draining", 10, "the drain")
        for path, expected in (("/health/live", 200), ("/health/ready", 503), ("/health", 503), ("/api/health", 503)):
            status, document = ask(manager, path)
            self.assertEqual(status, expected, path)
            self.assertEqual(document.get("ready", False), False, path)
        child.communicate(b"\n")
        self.assertEqual(manager.wait_gone(), 0)

    def test_a_key_is_made_for_the_manager_that_listens_and_says_where_it_is_kept(self):
        manager = self.manager(SMALL)
        home = tempfile.mkdtemp(prefix="capsule-key-")
        self.addCleanup(shutil.rmtree, home)
        environment = dict(manager.environment, HOME=home, XDG_STATE_HOME=f"{home}/state", CAPSULE_SOCKET=manager.socket)
        made = manager.capsule("key", "new", "there", env=environment)
        self.assertEqual(made.status, 0, made)
        self.assertIn(f"{manager.directory}/state/http-keys.json".encode(), made.err)
        self.assertEqual(os.listdir(home), [])
        connection = http.client.HTTPConnection(manager.info("manager")["manager"]["http"], timeout=10)
        connection.request("GET", "/golden-signals", headers={"X-API-Key": made.out.decode().strip()})
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()
        environment["CAPSULE_SOCKET"] = f"{home}/nobody"
        done = manager.capsule("key", "ls", env=environment)
        self.assertEqual(done.status, 125, done)
        self.assertIn(b"--state-dir", done.err)
        manager.stop()

    def test_one_that_cannot_record_runs_is_not_ready_until_it_can(self):
        manager = self.manager(SMALL)
        self.assertEqual(ask(manager, "/health/ready")[0], 200)
        full, room = (["prlimit", f"--fsize={soft}:unlimited", "--pid", str(manager.pid)] for soft in (0, "unlimited"))
        subprocess.run(full, check=True)
        refused = manager.capsule("run", "-c", "1")
        self.assertEqual(refused.status, 125, refused)
        for path in ("/health/ready", "/health"):
            status, document = ask(manager, path)
            self.assertEqual((status, document["ready"]), (503, False), document)
            self.assertIn("cannot be recorded", document["reason"])
        self.assertEqual(ask(manager, "/health/live")[0], 200)
        subprocess.run(room, check=True)
        wait_for(lambda: ask(manager, "/health/ready")[0] == 200, 20, "readiness without a run that asks for it")
        self.assertNotIn("reason", ask(manager, "/health/ready")[1])
        self.assertEqual(manager.capsule("run", "-c", "1").status, 0)
        manager.stop()

    def test_one_whose_state_directory_was_removed_is_not_ready_and_says_so_seldom(self):
        manager = self.manager(SMALL)
        self.assertEqual(manager.capsule("run", "-c", "1").status, 0)
        state = f"{manager.directory}/state"

        def is_removed():  # a record of the run that comes meanwhile makes the directory of its log again
            shutil.rmtree(state, ignore_errors=True)
            return not os.path.exists(state)

        wait_for(is_removed, 10, "the end of the state directory")
        status, document = ask(manager, "/health/ready")
        self.assertEqual(status, 503)
        self.assertIn("restart the manager", document["reason"])
        for _ in range(5):
            self.assertEqual(manager.capsule("run", "-c", "1").status, 125)
        self.assertEqual(ask(manager, "/health/ready")[0], 503)
        lines = [json.loads(line) for line in manager.log().splitlines()]
        said = [line for line in lines if line["msg"] == "records of runs" and line["level"] == "error"]
        self.assertLessEqual(len(said), 2, lines)  # one in ten seconds, however slow this is
        self.assertEqual(len([line for line in lines if line["msg"] == "audit records are lost"]), 2, lines)  # of two logs
        self.assertEqual([line for line in lines if line["msg"] == "audit records are kept again"], [])
        logs = manager.info("manager")["manager"]["audit"]["logs"]
        self.assertGreater(logs["audit"]["lost"], 0)
        self.assertTrue(logs["audit"]["failing"])
        manager.kill()

    def test_one_whose_default_profile_is_broken_serves_and_is_not_ready(self):
        manager = Manager(SMALL.replace('"base"', '"broken"') + '[profiles.broken]\npreload = ["no_such_module"]\n',
                          ("--http", "127.0.0.1:0"))
        manager.http = None
        self.addCleanup(manager.kill)
        manager.start(wait_ready=False)
        wait_for(lambda: os.path.exists(manager.socket) and manager.capsule("info", "manager").status == 0, 60, "a manager")
        status, document = ask(manager, "/health/ready")
        self.assertEqual((status, document["ready"], document["python_ran_s"]), (503, False, None))
        self.assertEqual(ask(manager, "/health/live")[0], 200)
        manager.stop()


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
