"""GET /metrics of a manager that has seen something."""
import http.client
import re
import shutil
import subprocess
import unittest

from support import SMALL, ManagerCase, program


class MetricsTest(ManagerCase):
    config = SMALL
    arguments = ("--http", "127.0.0.1:0")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.address = cls.manager.info("manager")["manager"]["http"]
        for arguments in (("-c", "print('x' * 1000)"), ("-c", "1 / 0"), ("-c", "while True: pass", "--timeout", "0.2"),
                          (program("os__exit"),)):
            cls.manager.capsule("run", *arguments)

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
            match = re.fullmatch(r"([a-z_]+)(?:\{(.*)\})? (\S+)", line)
            if match is None or match[1] != name:
                continue
            has = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
            if labels.items() <= has.items():
                total, found = total + float(match[3]), True
        self.assertTrue(found, f"no sample {name} {labels}")
        return total

    def test_promtool_is_content(self):
        promtool = shutil.which("promtool")
        if promtool is None:
            self.skipTest("promtool is not installed")
        status, text, headers = self.get("/metrics")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/plain"))
        done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_runs_are_counted_by_verdict(self):
        before = self.value("capsule_runs_total", verdict="exception", profile="base")
        self.manager.capsule("run", "-c", "1 / 0")
        self.assertEqual(self.value("capsule_runs_total", verdict="exception", profile="base"), before + 1)
        self.assertGreaterEqual(self.value("capsule_runs_total", verdict="timeout"), 1)
        self.assertGreaterEqual(self.value("capsule_runs_total", verdict="exit"), 1)
        self.assertEqual(self.value("capsule_runs_total", verdict="internal_error"), 0)
        self.assertEqual(self.value("capsule_runs_created_total"), self.value("capsule_runs_total"))

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

    def test_health_says_ready(self):
        status, text, _ = self.get("/health")
        self.assertEqual(status, 200)
        self.assertIn("ready", text)

    def test_other_paths_methods_and_hosts_are_refused(self):
        self.assertEqual(self.get("/nonesuch")[0], 401)  # with a key: 404, test_http.py
        self.assertEqual(self.get("/metrics", "POST")[0], 405)
        self.assertIn(self.get("/metrics", headers={"Host": "evil.example"})[0], (400, 403, 421))


if __name__ == "__main__":
    unittest.main()
