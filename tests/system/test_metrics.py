"""GET /metrics of a manager that has seen something."""
import http.client
import re
import subprocess
import unittest

from processes import wait_for
from prometheus import tool
from support import SMALL, ManagerCase, finish, program, read_event

SERIES_MAX = 500  # docs/METRICS.md
USERS = 150  # the unit test of the same name has a hundred thousand


class MetricsCase(ManagerCase):
    config = SMALL
    arguments = ("--http", "127.0.0.1:0")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.address = cls.manager.info("manager")["manager"]["http"]

    def get(self, path, method="GET", headers=None):
        connection = http.client.HTTPConnection(self.address, timeout=10)
        try:
            connection.request(method, path, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.read().decode(), response.headers
        finally:
            connection.close()

    def value(self, name, **labels):
        """The sum of all samples of that name with these labels."""
        total, found = 0.0, False
        for line in self.get("/metrics")[1].splitlines():
            match = re.fullmatch(r"([a-z_0-9]+)(?:\{(.*)\})? (\S+)", line)
            if match is None or match[1] != name:
                continue
            has = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
            if labels.items() <= has.items():
                total, found = total + float(match[3]), True
        self.assertTrue(found, f"no sample {name} {labels}")
        return total

    def assert_promtool_is_content(self):
        status, text, headers = self.get("/metrics")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/plain"))
        done = subprocess.run([tool("promtool", "prometheus"), "check", "metrics"], input=text, capture_output=True,
                              text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def series(self):
        return [line for line in self.get("/metrics")[1].splitlines() if line and not line.startswith("#")]

    def run_ok(self, code, *arguments):
        document = self.manager.run_code(code, *arguments)
        self.assert_verdict(document, "ok", 0)
        return document

    def new_session(self, *arguments):
        done = self.manager.capsule("session", "new", *arguments)
        self.assertEqual(done.status, 0, done)
        session = done.out.decode().strip()
        self.addCleanup(self.manager.capsule, "session", "rm", session)
        return session


class MetricsTest(MetricsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for arguments in (("-c", "print('x' * 1000)"), ("-c", "1 / 0"), ("-c", "while True: pass", "--timeout", "0.2"),
                          (program("os__exit"),)):
            cls.manager.capsule("run", *arguments)

    def test_promtool_is_content(self):
        self.assert_promtool_is_content()

    def test_the_parsers_of_prometheus_own_library_take_both_formats_and_read_the_same(self):
        from prometheus_client import parser
        from prometheus_client.openmetrics import parser as open_parser

        accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
        read = []
        for text, parse in ((self.get("/metrics")[1], parser.text_string_to_metric_families),
                            (self.get("/metrics", headers=accept)[1], open_parser.text_string_to_metric_families)):
            families = list(parse(text))
            self.assertEqual(len({family.name for family in families}), len(families))
            read.append({(family.name, family.type) for family in families})
        self.assertGreater(len(read[0]), 100)
        self.assertEqual(read[0], read[1])

    def test_runs_are_counted_by_verdict(self):
        before = self.value("capsule_runs_total", verdict="exception", profile="base")
        self.manager.capsule("run", "-c", "1 / 0")
        self.assertEqual(self.value("capsule_runs_total", verdict="exception", profile="base"), before + 1)
        self.assertGreaterEqual(self.value("capsule_runs_total", verdict="timeout"), 1)
        self.assertGreaterEqual(self.value("capsule_runs_total", verdict="exit"), 1)
        self.assertEqual(self.value("capsule_runs_total", verdict="internal_error"), 0)
        self.assertEqual(self.value("capsule_runs_accepted_total"), self.value("capsule_runs_total"))

    def test_the_pool_counts_as_info_does(self):
        pool = self.manager.pool()
        self.assertEqual(self.value("capsule_pool_hits_total", profile="base"), pool["hits"])
        self.assertEqual(self.value("capsule_pool_acquisitions_total", profile="base"), pool["acquisitions"])

    def test_output_is_counted_to_the_byte(self):
        before = self.value("capsule_output_bytes_total", stream="stdout")
        self.manager.capsule("run", "-c", "print('y' * 4999)")
        self.assertEqual(self.value("capsule_output_bytes_total", stream="stdout"), before + 5000)

    def test_cancels_and_rungs_are_counted(self):
        self.assertGreaterEqual(self.value("capsule_cancels_total", reason="timeout"), 1)
        self.assertGreaterEqual(self.value("capsule_cancel_rungs_total", rung="interrupt"), 1)

    def test_bad_frames_are_counted(self):
        before = self.value("capsule_frame_errors_total", socket="client")
        with self.manager.raw() as client:
            client.hello()
            client.send_bytes(b"\xff" * 8)
            client.rest()
        self.assertEqual(self.value("capsule_frame_errors_total", socket="client"), before + 1)

    def test_interrupts_are_counted_when_they_are_sent(self):
        before = self.value("capsule_interrupts_total")
        self.manager.capsule("run", "-c", "while True: pass", "--timeout", "0.1")
        self.assertEqual(self.value("capsule_interrupts_total"), before + 1)

    def test_requests_are_counted_by_type_and_their_errors_by_code(self):
        infos = self.value("capsule_requests_total", type="info")
        runs = self.value("capsule_requests_total", type="execute")
        missing = self.value("capsule_request_errors_total", code="not_found")
        answers = self.value("capsule_request_seconds_count")
        self.run_ok("1")
        self.manager.info("queue")
        self.assertNotEqual(self.manager.capsule("cancel", "no-such-run").status, 0)
        self.assertEqual(self.value("capsule_requests_total", type="info"), infos + 1)
        self.assertEqual(self.value("capsule_requests_total", type="execute"), runs + 1)
        self.assertEqual(self.value("capsule_request_errors_total", code="not_found"), missing + 1)
        self.assertGreaterEqual(self.value("capsule_request_seconds_count"), answers + 3)

    def test_frames_are_counted_by_type(self):
        before = self.value("capsule_frames_total", direction="sent", type="output")
        executes = self.value("capsule_frames_total", direction="received", type="execute")
        self.run_ok("print(1)")
        self.assertGreater(self.value("capsule_frames_total", direction="sent", type="output"), before)
        self.assertEqual(self.value("capsule_frames_total", direction="received", type="execute"), executes + 1)
        self.assertGreater(self.value("capsule_frame_bytes_total", direction="received", type="finished"), 0)

    def test_workers_have_memory_of_their_own_and_shared(self):
        self.manager.wait_settled()
        self.assertGreater(self.value("capsule_worker_memory_bytes", profile="base", kind="private"), 100_000)
        self.assertGreater(self.value("capsule_worker_memory_bytes", profile="base", kind="shared"), 1_000_000)
        self.assertEqual(self.value("capsule_worker_memory_bytes", profile="data", kind="private"), 0)

    def test_a_pool_says_what_it_is_told_to_be(self):
        pool = self.manager.pool()
        for name, key in (("capsule_pool_warm_target", "warm_target"), ("capsule_pool_min", "min"), ("capsule_pool_max", "max")):
            self.assertEqual(self.value(name, profile="base"), pool[key])
        self.assertEqual(self.value("capsule_profile_ready", profile="base"), 1)

    def test_the_disk_and_the_time_are_told(self):
        size = self.value("capsule_state_filesystem_size_bytes")
        self.assertGreater(size, 0)
        self.assertLessEqual(self.value("capsule_state_filesystem_available_bytes"), size)
        self.assertGreater(self.value("capsule_uptime_seconds"), 0)

    def test_layers_add_up_to_those_of_a_run(self):
        states = [layer["state"] for layer in self.run_ok("1")["layers"]]
        for state in ("on", "degraded", "off"):
            self.assertEqual(self.value("capsule_sandbox_layers", state=state), states.count(state))

    def test_streams_are_open_while_a_run_is(self):
        self.assertEqual(self.value("capsule_open_streams"), 0)
        child = self.manager.spawn("run", "--events", "-c", "print(1, flush=True); input()")
        read_event(child, "output")
        self.assertEqual(self.value("capsule_open_streams"), 3)
        finish(child, feed=b"\n")
        self.assertEqual(self.value("capsule_open_streams"), 0)

    def test_held_event_loops_are_counted_and_told(self):
        awaited, held = self.value("capsule_runs_awaited_total"), self.value("capsule_async_blocking_calls_total")
        document = self.run_ok("import asyncio, time\nawait asyncio.sleep(0)\ntime.sleep(0.3)")
        calls = document["evidence"]["blocking_calls"]
        self.assertGreaterEqual(calls, 1)
        self.assertEqual(self.value("capsule_runs_awaited_total"), awaited + 1)
        self.assertEqual(self.value("capsule_async_blocking_calls_total"), held + calls)
        self.run_ok("import asyncio, time\nawait asyncio.sleep(0)\ntime.sleep(0.3)")
        self.assertEqual(self.manager.log().count("a program held its own event loop"), 1, "two runs, but told once")

    def test_what_seccomp_ends_is_a_denial(self):
        before = self.value("capsule_sandbox_denials_total", mechanism="seccomp")
        document = self.manager.run_code("import ctypes; ctypes.CDLL(None).syscall(0x40000000 | 39)")  # the x32 entry
        self.assert_verdict(document, "violation")
        self.assertEqual(self.value("capsule_sandbox_denials_total", mechanism="seccomp"), before + 1)

    def test_health_says_ready(self):
        status, text, _ = self.get("/health")
        self.assertEqual(status, 200)
        self.assertIn("ready", text)

    def test_other_paths_methods_and_hosts_are_refused(self):
        self.assertEqual(self.get("/nonesuch")[0], 401)  # with a key: 404, test_http.py
        self.assertEqual(self.get("/metrics", "POST")[0], 405)
        self.assertIn(self.get("/metrics", headers={"Host": "evil.example"})[0], (400, 403, 421))


class BranchMetricsTest(MetricsCase):
    def test_durable_checkpoints_are_counted_both_ways_with_their_bytes(self):
        session = self.new_session()
        self.manager.exec(session, "x = bytes(100_000)")
        self.assertEqual(self.manager.capsule("session", "checkpoint", session, "--name", "one", "--durable").status, 0)
        self.new_session("--from", "one")
        for operation in ("save", "restore"):
            self.assertEqual(self.value("capsule_checkpoints_total", operation=operation, outcome="done"), 1)
            self.assertGreater(self.value("capsule_checkpoint_bytes_total", operation=operation), 100_000)
            self.assertGreater(self.value("capsule_checkpoint_seconds_total", operation=operation), 0)
        self.assertNotEqual(self.manager.capsule("session", "checkpoint", session, "--name", "one", "--durable").status, 0)
        self.assertEqual(self.value("capsule_checkpoints_total", operation="save", outcome="failed"), 1)

    def test_forks_and_the_memory_of_parked_copies_are_told(self):
        session = self.new_session()
        self.manager.exec(session, "x = bytearray(b'x') * 4_000_000")
        wait_for(lambda: self.manager.info("sessions")["sessions"][0]["snapshots"], 20, "a snapshot")
        self.manager.exec(session, "x[:] = bytes(4_000_000)")  # now the snapshot has the old pages for itself
        wait_for(lambda: self.value("capsule_snapshot_memory_bytes") > 4_000_000, 20, "its memory")
        before = self.value("capsule_forks_total", outcome="made")
        forks = self.manager.capsule("session", "fork", session, "-n", "2")
        self.assertEqual(forks.status, 0, forks)
        for fork in forks.out.decode().split():
            self.addCleanup(self.manager.capsule, "session", "rm", fork)
        self.assertEqual(self.value("capsule_forks_total", outcome="made"), before + 2)
        self.assertGreater(self.value("capsule_fork_seconds_count"), 0)


class FullPoolMetricsTest(MetricsCase):
    config = SMALL.replace("[pool]", "[pool]\nmax = 2")

    def test_a_pool_that_is_full_says_so_and_who_waits_is_timed(self):
        before = self.value("capsule_pool_max_reached_total", profile="base")
        child = [self.manager.spawn("run", "--events", "-c", "print(1, flush=True); input()") for _ in range(2)]
        for each in child:
            read_event(each, "output")
        third = self.manager.spawn("run", "-c", "1")
        wait_for(lambda: self.value("capsule_queue_oldest_wait_seconds") > 0, 20, "a run that waits")
        self.assertEqual(self.value("capsule_pool_max_reached_total", profile="base"), before + 1)
        for each in child:
            finish(each, feed=b"\n")
        self.assertEqual(finish(third).status, 0)
        self.assertGreater(self.value("capsule_run_queue_wait_max_seconds"), 0)
        self.assertEqual(self.value("capsule_queue_oldest_wait_seconds"), 0)


class OwnFiguresCase(MetricsCase):
    def dropped(self, reason):
        return self.value("capsule_program_metrics_dropped_total", reason=reason)


class FewOwnFiguresTest(OwnFiguresCase):
    config = SMALL + "[metrics]\nuser_names = 4\nuser_series = 6\n"

    def test_names_and_series_end_at_their_limits_and_what_is_there_goes_on(self):
        self.run_ok("import capsule; capsule.metric('kept')")
        self.run_ok("import capsule\nfor i in range(100): capsule.metric('kept', 1, user=f'u{i}')\n"
                    "for i in range(100): capsule.metric(f'name_{i}')\ncapsule.metric('kept')")
        self.assertGreater(self.dropped("full"), 150)
        self.assertEqual(self.value("capsule_program_metric_series"), 6)
        self.assertGreaterEqual(self.value("capsule_user_kept_total"), 2)


class OwnFiguresTest(OwnFiguresCase):
    def test_what_programs_count_is_in_the_next_scrape(self):
        code = "import capsule\nfor i in range(5): capsule.metric('llm_tokens', 17, model='m')"
        self.run_ok(code)
        self.assertEqual(self.value("capsule_user_llm_tokens_total", model="m"), 85)
        session = self.new_session()
        self.manager.exec(session, code)
        self.assertEqual(self.value("capsule_user_llm_tokens_total", model="m"), 170)

    def test_a_run_that_is_under_way_is_seen_already(self):
        child = self.manager.spawn("run", "--events", "-c",
                                   "import capsule; capsule.metric('loss', 0.5, kind='gauge'); print(1, flush=True); input()")
        read_event(child, "output")
        self.assertEqual(self.value("capsule_user_loss"), 0.5)
        finish(child, feed=b"\n")

    def test_figures_that_our_module_never_sends_break_no_scrape(self):
        before = self.dropped("invalid")
        self.run_ok("""import _capsule
send = _capsule.send_metric
send("", 'a{b="c"} 1\\nup', "counter", 1, {})
send("", "A", "counter", 1, {})
send("", "a", "counter", 1, {"le": "x"})
send("", "a", "counter", 1, {"x": 'q"\\n# EOF'})
send("", "a", "counter", -1, {})
send("", "a", "summary", 1, {})
send("", "x_bucket", "gauge", 1, {})
""")
        self.assertEqual(self.dropped("invalid"), before + 7)
        self.assert_promtool_is_content()

    def test_a_frame_that_the_wire_does_not_know_costs_the_program_its_worker(self):
        for arguments in ("'a', 'counter', float('nan'), {}", "'a' * 65, 'counter', 1, {}", "'a', 'counter', 1, {'x': 'x' * 65}",
                          "'a', 'counter', 1, dict.fromkeys('abcde', 'x')"):
            document = self.manager.run_code(f"import _capsule; _capsule.send_metric('', {arguments}); input()")
            self.assert_verdict(document, "worker_lost")
        self.assert_promtool_is_content()

    def test_a_flood_of_figures_costs_the_program_its_worker_and_nobody_else(self):
        document = self.manager.run_code("import _capsule\nwhile True: _capsule.send_metric('', 'flood', 'counter', 1, {})")
        self.assert_verdict(document, "worker_lost")
        self.assertGreater(self.dropped("rate"), 0)
        self.assertEqual(self.value("capsule_runs_total", verdict="internal_error"), 0)
        self.assert_promtool_is_content()
        self.assert_next_run_works()


class SeriesTest(MetricsCase):
    config = SMALL.replace("warm = 0\ncapsules = 0", "warm = 1\ncapsules = 0")

    def test_many_users_runs_and_sessions_stay_under_five_hundred_series(self):
        """Both profiles, every kind of end, and programs' own figures up to their limit."""
        self.run_ok("import numpy", "--profile", "data")
        with self.manager.raw(60) as client:
            client.hello()
            for number in range(USERS):
                client.send({"type": "execute", "id": number + 1, "mode": "script", "filename": f"secret-{number}.py", "code":
                             f"import capsule; capsule.metric('m{number}', 1, user='u{number}'); exit({number})".encode()})
                client.receive_of("finished")
        for number in range(3):
            session = self.new_session(f"name-{number}")
            self.manager.exec(session, "import os; os._exit(1)")
        for path in ("/nonesuch", "/info", "/", "/golden-signals", "/health/ready"):
            self.get(path)
        series = self.series()
        self.assertLess(len(series), SERIES_MAX)
        self.assertEqual(self.value("capsule_program_metric_series"), 8)
        self.assertEqual([line for line in series if "secret-" in line or "name-" in line], [])


if __name__ == "__main__":
    unittest.main()
