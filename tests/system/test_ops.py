"""What ops/ ships is true of a live manager: Prometheus scrapes one under load, and every rule and panel has data."""
import json
import math
import os
import re
import subprocess
import time
import unittest
import urllib.request

from processes import wait_for
from prometheus import OPS, Prometheus, get_json, tool
from support import ROOT, SMALL, ManagerCase, finish, program

CONFIG = SMALL.replace("[pool]", "[pool]\nmax = 4") + """
[queue]
capacity = 80
[worker]
heartbeat_interval_s = 0.2
[run]
grace_s = 0.2
[profiles.aborts]
preload = ["aborts_at_once"]
packages = ["{packages}"]
[profiles.missing]
preload = ["no_such_module"]
"""
QUEUED = 90  # more than the queue takes beside four that run
HOLD_S = 0.3  # each, so that more than fifty are queued for two seconds
LOST = 10
CRASHED = 10
SEEN_SECONDS = 20  # for a scrape and an evaluation, of one second each

DASHBOARD = ROOT / "ops" / "grafana" / "capsule.json"
RUNBOOK = ROOT / "docs" / "RUNBOOK.md"
ROWS = ["Overview", "RED: rate, errors, duration", "USE: utilisation, saturation, errors", "Pool", "Sandbox", "Sessions"]
VARIABLES = {"$__rate_interval": "1m", "$job": "capsule", "$instance": ".*", "$profile": ".*"}
# What this load raises. The others need what a test should not do to its machine, or minutes.
RAISED = {"CapsuleManagerDown", "CapsuleNoReadyWorker", "CapsuleProfileUnavailable", "CapsuleErrorRatioHigh",
          "CapsuleFailureRatioHigh", "CapsuleQueueWaitHigh", "CapsuleCrashLoop", "CapsuleHeartbeatsLost",
          "CapsuleAvailabilityBudgetBurn", "CapsuleStartLatencyBudgetBurn"}

# In an alert a comparison decides whether there is a sample at all; with `bool` its sides are all it needs.
COMPARISON = re.compile(r"(==|!=|<=|>=|<|>) (?=[\d(])")


def without_condition(expression):
    return COMPARISON.sub(r"\1 bool ", expression)

# Metrics and recorded series by their prefixes; and the words that an expression asks of their labels.
SERIES = re.compile(r"\b((?:capsule_|process_|node_|instance\w*:|slo:)[\w:]*)(?:\{([^}]*)\})?")
WORDS = re.compile(r'\b(verdict|reason|state|step|level|le|sloth_id|sloth_window)(?:=~|!~|=|!=)"([^"]*)"')


def selectors_in(expression):
    """Each series that an expression reads, and each with every single word of its closed label sets."""
    for name, labels in SERIES.findall(re.sub(r"\b(?:by|without|on|ignoring) \([^)]*\)", "", expression)):
        yield name
        yield from (f'{name}{{{label}="{word}"}}' for label, words in WORDS.findall(labels) for word in words.split("|"))


def panels():
    return json.loads(DASHBOARD.read_text())["panels"]


def dashboard_expressions():
    for panel in panels():
        for target in panel.get("targets", ()):
            expression = target["expr"]
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            yield panel["title"], expression


def names_in(kind, pattern="capsule.*.yml"):
    found = []
    for path in sorted(OPS.glob(pattern)):
        found += re.findall(rf"^\s*- {kind}: (\S+)$", path.read_text(), re.M)
    return found


def promtool(*arguments, feed=None):
    return subprocess.run([tool("promtool", "prometheus"), *arguments], cwd=OPS, input=feed, capture_output=True, text=True,
                          timeout=60)


class OpsFiles(unittest.TestCase):
    def assert_content(self, done):
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_promtool_takes_configuration_and_rules(self):
        self.assert_content(promtool("check", "config", "prometheus.yml"))

    def test_the_rule_tests_pass(self):
        tests = sorted(path.name for path in OPS.glob("*_test.yml"))
        self.assertEqual(len(tests), len(list(OPS.glob("capsule.*.yml"))) / 2, tests)
        self.assert_content(promtool("test", "rules", *tests))

    def test_every_rule_has_a_case_and_every_alert_two(self):
        cases = "".join(path.read_text() for path in OPS.glob("*_test.yml"))
        for name in set(names_in("record")):
            self.assertRegex(cases, rf"(?m)^\s*- expr: {name}$")
        for name in set(names_in("alert")):
            self.assertRegex(cases, rf"- name: {name} is raised")
            self.assertRegex(cases, rf"- name: {name} is not raised")

    def test_the_runbook_has_one_entry_for_each_alert(self):
        entries = re.findall(r"^### (Capsule\S+)$", RUNBOOK.read_text(), re.M)
        self.assertEqual(sorted(entries), sorted(set(names_in("alert"))))

    def test_the_dashboard_has_its_rows_and_a_unit_on_every_panel(self):
        self.assertEqual([panel["title"] for panel in panels() if panel["type"] == "row"], ROWS)
        ids = [panel["id"] for panel in panels()]
        self.assertEqual(len(ids), len(set(ids)))
        for panel in panels():
            if panel["type"] != "row":
                self.assertTrue(panel["fieldConfig"]["defaults"]["unit"], panel["title"])
                self.assertEqual(panel["datasource"]["uid"], "${datasource}")


class OpsUnderLoad(ManagerCase):
    arguments = ("--http", "127.0.0.1:0")

    @classmethod
    def setUpClass(cls):
        packages = cls.directory_for_programs()
        (packages / "aborts_at_once.py").write_text("import os; os.abort()\n")
        cls.config = CONFIG.replace("{packages}", str(packages))
        super().setUpClass()
        cls.address = cls.manager.info("manager")["manager"]["http"]
        cls.prometheus = Prometheus(cls.address, features=["exemplar-storage"])
        cls.addClassCleanup(cls.prometheus.stop)
        cls.wait_for_samples("capsule_build_info")
        cls.load()
        cls.wait_for_scrape()

    @classmethod
    def tearDownClass(cls):
        cls.prometheus.stop()  # its connection is one of the manager's descriptors
        super().tearDownClass()

    @classmethod
    def wait_for_samples(cls, expression):
        return wait_for(lambda: cls.prometheus.query(expression), SEEN_SECONDS, f"data of {expression}")

    @classmethod
    def wait_for_scrape(cls):
        """Everything up to now is scraped, and has been through two rounds of rules: some read what others record."""
        now = time.time()
        wait_for(lambda: cls.prometheus.query(f"timestamp(capsule_build_info) > {now + 1}"), SEEN_SECONDS, "a scrape")
        wait_for(lambda: cls.prometheus.query(f"timestamp(slo:current_burn_rate:ratio) > {now + 3}"), SEEN_SECONDS,
                 "an evaluation")

    @classmethod
    def alert(cls, name):
        return [rule["query"] for rule in cls.prometheus.rules() if rule["type"] == "alerting" and rule["name"] == name]

    @classmethod
    def load(cls):
        cls.fill_queue()
        cls.end_in_every_way()
        cls.use_sessions()
        cls.keep_figures()

    @classmethod
    def fill_queue(cls):
        with cls.manager.raw() as client:
            client.hello()
            for number in range(QUEUED):
                client.send({"type": "execute", "id": number + 1, "mode": "script",
                             "code": f"import time; time.sleep({HOLD_S})".encode()})
            [query] = cls.alert("CapsuleQueueLong")
            cls.wait_for_samples(query)
            ended = {"finished": 0, "error": 0}
            while sum(ended.values()) < QUEUED:
                ended[client.receive_of(*ended)["type"]] += 1
            assert ended["error"] >= QUEUED - 80 - 4, ended

    @classmethod
    def end_in_every_way(cls):
        lost = [cls.manager.spawn("run", program("sigstop_itself")) for _ in range(LOST)]
        crashed = [cls.manager.spawn("run", program("segfault")) for _ in range(CRASHED)]
        others = [cls.manager.spawn("run", *arguments) for arguments in (
            ("-c", "print('x' * 1000)"), ("-c", "import sys; sys.stderr.write('y'); 1 / 0"), (program("os__exit"),),
            ("-c", "while True: pass", "--timeout", "0.2"), ("--profile", "missing", "-c", "1"))]
        for child in lost:
            done = finish(child)
            assert done.status == 137, done
        for child in crashed + others:
            finish(child)

    @classmethod
    def keep_figures(cls):
        done = cls.manager.capsule("run", "-c", "import capsule\ncapsule.metric('llm_tokens', 17, model='m')\n"
                                   "capsule.metric('loss', 0.25, kind='gauge')")
        assert done.status == 0, done

    @classmethod
    def use_sessions(cls):
        session = cls.manager.capsule("session", "new").out.decode().strip()
        cls.manager.exec(session, "x = 1")
        wait_for(lambda: cls.manager.info("sessions")["sessions"][0]["snapshots"], 20, "a snapshot")
        cls.manager.exec(session, "import os; os._exit(1)")
        cls.manager.exec(session, "x")
        for arguments in (("fork", session, "-n", "2"), ("checkpoint", session, "--name", "kept", "--durable"),
                          ("new", "--from", "kept")):
            done = cls.manager.capsule("session", *arguments)
            assert done.status == 0, done
        for each in cls.manager.info("sessions")["sessions"]:
            cls.manager.capsule("session", "rm", each["session"])

    def assert_has_data(self, what, expression):
        samples = self.prometheus.query(expression)
        self.assertTrue(samples, f"{what}: no data: {expression}")
        self.assertTrue(any(not math.isnan(value) for _, value in samples), f"{what}: NaN only: {expression}")

    def test_every_rule_evaluates_and_returns_data(self):
        rules = self.prometheus.rules()
        self.assertEqual(sorted(rule["name"] for rule in rules), sorted(names_in("record") + names_in("alert")))
        for rule in rules:
            with self.subTest(rule=rule["name"]):
                self.assertEqual((rule["health"], rule.get("lastError", "")), ("ok", ""))
                self.assert_has_data(rule["name"], without_condition(rule["query"]))

    def test_every_recorded_series_is_there(self):
        for name in sorted(set(names_in("record"))):
            with self.subTest(rule=name):
                self.assert_has_data(name, name)

    def test_every_expression_of_the_dashboard_returns_data(self):
        expressions = list(dashboard_expressions())
        self.assertGreater(len(expressions), 50)
        for title, expression in expressions:
            with self.subTest(panel=title):
                self.assert_has_data(title, expression)

    def test_every_series_and_every_word_of_a_label_exists(self):
        expressions = [rule["query"] for rule in self.prometheus.rules()]
        expressions += [expression for _, expression in dashboard_expressions()]
        selectors = sorted({each for expression in expressions for each in selectors_in(expression)})
        self.assertIn('capsule_zygote_restarts_total{reason="died"}', selectors)
        for selector in selectors:
            with self.subTest(selector=selector):
                self.assertTrue(self.prometheus.query(selector), f"no series {selector}")

    def test_what_the_load_did_meets_the_conditions_of_its_alerts(self):
        for name in sorted(RAISED):
            with self.subTest(alert=name):
                for query in self.alert(name):
                    self.assert_has_data(name, query)

    def test_only_the_manager_that_is_not_there_is_down(self):
        [query] = self.alert("CapsuleManagerDown")
        self.assertEqual([labels["instance"] for labels, _ in self.prometheus.query(query)], [self.prometheus.down])

    def exemplars(self, name):
        now = time.time()
        answer = get_json(self.prometheus.server.address, "/api/v1/query_exemplars", query=name, start=now - 600, end=now)
        self.assertEqual(answer["status"], "success", answer)
        return [each for series in answer["data"] for each in series["exemplars"]]

    def test_exemplars_come_back_from_prometheus_with_the_trace_of_a_run(self):
        document = self.manager.run_code("1")
        for name in ("capsule_run_duration_seconds_bucket", "capsule_run_queue_wait_seconds_bucket"):
            with self.subTest(name=name):
                wait_for(lambda: document["trace_id"] in [e["labels"]["trace_id"] for e in self.exemplars(name)],
                         SEEN_SECONDS, f"the run's trace among the exemplars of {name}")
                for each in self.exemplars(name):
                    self.assertRegex(each["labels"]["trace_id"], "^[0-9a-f]{32}$")
                    self.assertGreaterEqual(float(each["value"]), 0)

    def test_programs_own_figures_come_back_from_prometheus(self):
        [(labels, value)] = self.prometheus.query("capsule_user_llm_tokens_total")
        self.assertEqual((labels["model"], float(value)), ("m", 17))
        [(_, value)] = self.prometheus.query("capsule_user_loss")
        self.assertEqual(float(value), 0.25)

    def test_promtool_is_content_with_what_is_scraped(self):
        with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=20) as answer:
            text = answer.read().decode()
        done = promtool("check", "metrics", feed=text)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_prometheus_took_every_sample(self):
        targets = get_json(self.prometheus.server.address, "/api/v1/targets")["data"]["activeTargets"]
        problems = {each["scrapeUrl"]: each["lastError"] for each in targets if each["health"] != "up"}
        self.assertEqual(list(problems), [f"http://{self.prometheus.down}/metrics"], problems)


if __name__ == "__main__":
    unittest.main()
