"""Spans on their way out: each once, in OpenTelemetry's own schema, also after the collector was down for a while."""
import contextlib
import http.server
import json
import pathlib
import subprocess
import threading
import time
import unittest
import urllib.request

from processes import wait_for
from support import ROOT, SMALL, Manager

DECODER = ROOT / "tests" / "system" / "otlp"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
INNER = ["queue", "lease", "execute", "drain"]
ARRIVAL_SECONDS = 60  # pauses between attempts grow to half a minute
CANARY = "canary-0fe11dead"


def decoded(bodies):
    """The requests as the decoder of OpenTelemetry sees them; one that it does not take fails the test."""
    assert (DECODER / "node_modules").is_dir(), "the decoder is missing: scripts/install-dependencies --for-tests"
    done = subprocess.run(["node", "decode.js"], cwd=DECODER, input="\n".join(bodies), capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def spans_in(bodies):
    return [span for request in decoded(bodies) for resource in request["resourceSpans"]
            for scope in resource["scopeSpans"] for span in scope["spans"]]


def attributes(holder):
    """By name; each value as a pair of its type and itself."""
    return {each["key"]: next(iter(each["value"].items())) for each in holder.get("attributes", [])}


class Collector:
    """Takes OTLP requests on a port of loopback. `answers` is what it says first; then 200."""

    def __init__(self, port=0, answers=()):
        self.bodies, self.headers, self.refused = [], [], 0
        self.answers = list(answers)
        self.hang = threading.Event()
        self.hang.set()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                collector.hang.wait(30)
                status, headers = collector.answers.pop(0) if collector.answers else (200, {})
                said = headers.pop("body", "{}").encode()
                if status == 200:
                    collector.bodies.append(body)
                    collector.headers.append((self.path, dict(self.headers)))
                else:
                    collector.refused += 1
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it was given up meanwhile
                    self.wfile.write(said)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.hang.set()
        self.server.shutdown()
        self.server.server_close()

    def spans(self):
        return spans_in(self.bodies)


class OtlpTest(unittest.TestCase):
    def collector(self, **options):
        collector = Collector(**options)
        self.addCleanup(collector.stop)
        return collector

    def manager(self, port, config="", **options):
        manager = Manager(SMALL + f'[trace]\notlp_endpoint = "http://127.0.0.1:{port}"\n' + config,
                          ["--http", "127.0.0.1:0"], **options)
        self.addCleanup(manager.kill)
        return manager.start()

    def figures(self, manager):
        address = manager.info("manager")["manager"]["http"]
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=20) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, value in
                (line.rsplit(" ", 1) for line in lines if line.startswith("capsule_trace_"))}

    def wait_spans(self, collector, count):
        wait_for(lambda: len(collector.spans()) >= count, ARRIVAL_SECONDS, f"{count} spans")
        return collector.spans()

    def test_a_run_arrives_field_by_field(self):
        collector = self.collector()
        manager = self.manager(collector.port)
        session = manager.capsule("session", "new").out.decode().strip()
        before = time.time_ns()
        document = manager.exec(session, "print('x' * 100)", "--request-id", "order-17", "--traceparent",
                                f"00-{TRACE}-{SPAN}-01")
        spans = self.wait_spans(collector, 5)
        after = time.time_ns()
        self.assertEqual(len(spans), 5)
        run, *inner = spans
        self.assertEqual((run["name"], run["kind"], run["traceId"], run["parentSpanId"], run["flags"]),
                         ("run", 2, TRACE, SPAN, 0x301))
        self.assertNotIn("status", run)
        times = [int(run["startTimeUnixNano"]), int(run["endTimeUnixNano"])]
        self.assertTrue(before - 10**6 <= times[0] <= times[1] <= after, (before, times, after))
        values = attributes(run)
        for name, value in {"capsule.run.id": ("stringValue", document["run_id"]),
                            "capsule.request.id": ("stringValue", "order-17"),
                            "capsule.session.id": ("stringValue", session),
                            "capsule.profile": ("stringValue", "base"),
                            "capsule.verdict": ("stringValue", "ok"),
                            "capsule.exit_status": ("intValue", "0"),
                            "capsule.output.bytes": ("intValue", "101")}.items():
            self.assertEqual(values[name], value, name)
        self.assertNotIn("error.type", values)
        self.assertEqual(values["capsule.cpu.user_s"][0], "doubleValue")
        self.assertGreater(int(values["capsule.memory.peak_bytes"][1]), 1 << 20)
        self.assertEqual([event["name"] for event in run["events"]],
                         [event["event"] for event in
                          manager.capsule("trace", "--json", document["run_id"]).document()["events"]
                          if event["event"] != "snapshot"])
        self.assertEqual([span["name"] for span in inner], INNER)
        for span, following in zip(inner, inner[1:] + [None]):
            self.assertEqual((span["kind"], span["traceId"], span["parentSpanId"]), (1, TRACE, run["spanId"]))
            end = following["startTimeUnixNano"] if following else run["endTimeUnixNano"]
            self.assertEqual(span["endTimeUnixNano"], end)
        self.assertEqual(len({span["spanId"] for span in spans}), 5)
        path, headers = collector.headers[0]
        self.assertEqual((path, headers["Content-Type"]), ("/v1/traces", "application/json"))
        manager.stop()

    def test_runs_that_end_together_go_out_together(self):
        collector = self.collector()
        manager = self.manager(collector.port)
        session = manager.capsule("session", "new").out.decode().strip()
        with manager.raw() as client:
            client.hello()
            for number in range(60):
                client.send({"type": "execute", "id": number + 1, "mode": "cell", "code": b"1", "session": session})
            for _ in range(60):
                client.receive_of("finished")
        runs = [span for span in self.wait_spans(collector, 300) if span["name"] == "run"]
        self.assertEqual(len({span["spanId"] for span in runs}), 60)
        self.assertLess(len(collector.bodies), 30)
        manager.stop()

    def test_the_resource_says_which_manager_it_was(self):
        collector = self.collector()
        manager = self.manager(collector.port)
        manager.run_code("1")
        self.wait_spans(collector, 5)
        [resource] = decoded(collector.bodies)[0]["resourceSpans"]
        values = {name: value for name, (_, value) in attributes(resource["resource"]).items()}
        info = manager.info("manager")["manager"]
        self.assertEqual((values["service.name"], values["service.version"], values["process.pid"],
                          values["process.runtime.name"], values["process.runtime.version"]),
                         ("capsule", info["version"], str(manager.pid), "cpython", info["python"]))
        self.assertTrue(values["service.instance.id"] and values["host.name"])
        self.assertEqual(resource["scopeSpans"][0]["scope"]["name"], "capsule")
        manager.stop()

    def test_every_span_arrives_once_also_after_the_collector_was_down_for_a_while(self):
        first = self.collector()
        manager = self.manager(first.port)
        runs = [manager.run_code("1")["run_id"]]
        early = self.wait_spans(first, 5)
        first.stop()
        for _ in range(20):
            runs.append(manager.run_code("1")["run_id"])
            time.sleep(0.05)
        wait_for(lambda: self.figures(manager)["capsule_trace_export_failures_total"] > 0, 20, "a failed attempt")
        again = self.collector(port=first.port, answers=[(503, {"Retry-After": "1"}), (429, {}), (502, {})])
        runs += [manager.run_code("1")["run_id"] for _ in range(5)]
        late = self.wait_spans(again, 25 * 5)
        self.assertEqual(again.refused, 3)
        spans = early + late
        self.assertEqual(len(spans), len(runs) * 5)
        self.assertEqual(len({span["spanId"] for span in spans}), len(spans))
        self.assertEqual(sorted(attributes(span)["capsule.run.id"][1] for span in spans if span["name"] == "run"),
                         sorted(runs))
        figures = self.figures(manager)
        self.assertEqual(figures['capsule_trace_spans_total{outcome="exported"}'], len(spans))
        self.assertEqual((figures['capsule_trace_spans_total{outcome="lost"}'], figures["capsule_trace_spans_waiting"]),
                         (0, 0))
        manager.stop()

    def test_a_request_that_the_collector_does_not_understand_is_not_repeated(self):
        collector = self.collector(answers=[(400, {})])
        manager = self.manager(collector.port)
        manager.run_code("1")
        wait_for(lambda: self.figures(manager)['capsule_trace_spans_total{outcome="refused"}'] == 5, 20, "a refusal")
        document = manager.run_code("2")
        spans = self.wait_spans(collector, 5)
        self.assertEqual({attributes(span)["capsule.run.id"][1] for span in spans if span["name"] == "run"},
                         {document["run_id"]})
        self.assertEqual(len(spans), 5)
        manager.stop()

    def test_spans_that_the_collector_rejects_of_what_it_takes_are_counted_and_not_repeated(self):
        partial = json.dumps({"partialSuccess": {"rejectedSpans": "2", "errorMessage": "two are too old"}})
        collector = self.collector(answers=[(200, {"body": partial})])
        manager = self.manager(collector.port)
        manager.run_code("1")
        wait_for(lambda: self.figures(manager)['capsule_trace_spans_total{outcome="refused"}'] == 2, 20, "a refusal")
        self.assertEqual(self.figures(manager)['capsule_trace_spans_total{outcome="exported"}'], 3)
        self.assertIn("two are too old", manager.log())
        manager.stop()
        self.assertEqual(len(collector.bodies), 1)

    def test_a_collector_that_takes_and_says_a_lot_has_taken(self):
        collector = self.collector(answers=[(200, {"body": " " * (5 << 20)})])
        manager = self.manager(collector.port)
        manager.run_code("1")
        wait_for(lambda: self.figures(manager)['capsule_trace_spans_total{outcome="exported"}'] == 5, 20, "its spans")
        self.assertEqual(self.figures(manager)["capsule_trace_export_failures_total"], 0)
        manager.stop()
        self.assertEqual(len(collector.bodies), 1)

    def test_what_is_left_goes_out_at_the_end(self):
        collector = self.collector()
        manager = self.manager(collector.port)
        for _ in range(3):
            manager.run_code("1")
        manager.stop()
        self.assertEqual(len(collector.spans()), 15)

    def test_a_collector_that_never_answers_delays_neither_runs_nor_the_end(self):
        collector = self.collector()
        collector.hang.clear()
        manager = self.manager(collector.port, "otlp_timeout_s = 20\n")
        for _ in range(10):
            self.assertEqual(manager.run_code("print(1)")["stdout"], "1\n")
        begun = time.monotonic()
        manager.stop()
        self.assertLess(time.monotonic() - begun, 15)  # and not the twenty seconds of the request

    def test_failures_are_errors_of_their_spans_and_content_is_not_in_them(self):
        collector = self.collector()
        manager = self.manager(collector.port)
        code = f"secret = '{CANARY}'\nprint(secret)\nclass {CANARY.replace('-', '_')}(Exception): pass\n" \
               f"raise {CANARY.replace('-', '_')}(secret)"
        manager.run_code(code)
        manager.run_code("import os; os.abort()")
        manager.run_code("raise SystemExit(0)")
        spans = [span for span in self.wait_spans(collector, 15) if span["name"] == "run"]
        self.assertEqual([(attributes(span).get("error.type"), span.get("status")) for span in spans],
                         [(("stringValue", "exception"), {"code": 2}), (("stringValue", "crashed"), {"code": 2}),
                          (None, None)])
        for name in (CANARY, CANARY.replace("-", "_")):
            self.assertNotIn(name, "".join(collector.bodies))
        manager.stop()

    def test_a_caller_that_does_not_sample_is_obeyed(self):
        collector = self.collector()
        manager = self.manager(collector.port)
        unsampled = manager.run_code("import os; print(os.environ['TRACEPARENT'])", "--traceparent",
                                     f"00-{TRACE}-{SPAN}-00")
        self.assertRegex(unsampled["stdout"], f"^00-{TRACE}-[0-9a-f]{{16}}-00\n$")
        sampled = manager.run_code("1")
        manager.stop()
        self.assertEqual({span["traceId"] for span in collector.spans()}, {sampled["trace_id"]})

    def test_a_request_over_http_is_a_span_of_its_callers_trace(self):
        collector = self.collector()
        manager = self.manager(collector.port)
        address = manager.info("manager")["manager"]["http"]
        for headers in ({"traceparent": f"00-{TRACE}-{SPAN}-01", "X-Request-ID": "look-7"}, {},
                        {"traceparent": "nonsense"}):
            request = urllib.request.Request(f"http://{address}/version", headers=headers)
            urllib.request.urlopen(request, timeout=20).close()
        [span] = self.wait_spans(collector, 1)
        self.assertEqual((span["name"], span["kind"], span["traceId"], span["parentSpanId"]),
                         ("GET /version", 2, TRACE, SPAN))
        values = attributes(span)
        self.assertEqual(values["capsule.request.id"], ("stringValue", "look-7"))
        self.assertEqual(values["http.response.status_code"], ("intValue", "200"))
        manager.stop()
        self.assertEqual(len(collector.spans()), 1)

    def test_the_file_has_the_same_spans_in_the_same_schema(self):
        collector = self.collector()
        manager = self.manager(collector.port)
        for _ in range(3):
            manager.run_code("1")
        path = pathlib.Path(manager.directory, "state", "traces", "traces.jsonl")
        self.wait_spans(collector, 15)
        written = path.read_text().splitlines()
        self.assertEqual(spans_in(written), collector.spans())
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        info = manager.info("manager")["manager"]["traces"]
        self.assertEqual((info["directory"], info["collector"]),
                         (str(path.parent), f"http://127.0.0.1:{collector.port}"))
        self.assertEqual(info["spans"], {"exported": 15, "recorded": 15, "refused": 0, "lost": 0, "waiting": 0})
        manager.stop()

    def test_files_are_rotated_within_their_bound(self):
        manager = Manager(SMALL + "[trace]\nfile_bytes = 6000\nfiles = 3\n")
        self.addCleanup(manager.kill)
        manager.start()
        directory = pathlib.Path(manager.directory, "state", "traces")
        for _ in range(12):
            manager.run_code("1")
            time.sleep(0.25)  # so that they are several lines
        manager.signal(15)
        manager.wait_gone()
        files = sorted(path.name for path in directory.iterdir())
        self.assertEqual(files, ["lock", "traces.1.jsonl", "traces.2.jsonl", "traces.jsonl"])
        for path in directory.glob("traces*.jsonl"):
            self.assertTrue(spans_in(path.read_text().splitlines()))

    def test_headers_come_from_a_file_and_are_shown_nowhere(self):
        collector = self.collector()
        manager = Manager(SMALL)
        self.addCleanup(manager.kill)
        path = pathlib.Path(manager.directory, "headers")
        path.write_text(f"x-api-key={CANARY}\nx-org=7\n")
        manager.config_file.write_text(SMALL + f'[trace]\notlp_endpoint = "http://localhost:{collector.port}"\n'
                                       f'otlp_headers_file = "{path}"\n')
        manager.start()
        manager.run_code("1")
        self.wait_spans(collector, 5)
        _, headers = collector.headers[0]
        self.assertEqual((headers["x-api-key"], headers["x-org"]), (CANARY, "7"))
        self.assertNotIn(CANARY, manager.log() + manager.capsule("info", "--json").out.decode())
        manager.stop()

    def test_the_endpoint_of_the_environment_holds_where_none_is_configured(self):
        collector = self.collector()
        manager = Manager(SMALL, environment={"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}/base/"})
        self.addCleanup(manager.kill)
        manager.start()
        manager.run_code("1")
        self.wait_spans(collector, 5)
        self.assertEqual(collector.headers[0][0], "/base/v1/traces")
        manager.stop()

    def test_an_endpoint_that_is_none_is_an_error_at_the_start(self):
        manager = Manager(SMALL + '[trace]\notlp_endpoint = "https://collector"\n')
        self.addCleanup(manager.kill)
        manager.start(wait_ready=False)
        self.assertNotEqual(manager.wait_gone(), 0)
        self.assertIn("trace.otlp_endpoint: this is not http", manager.log())


if __name__ == "__main__":
    unittest.main()
