"""Debian's Prometheus and its exporter of the machine's numbers, on loopback ports, for as long as a test asks them."""
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import processes
from processes import wait_for
from support import ROOT, start

OPS = ROOT / "ops" / "prometheus"
START_SECONDS = 30
ATTEMPTS = 3  # somebody else may take a port between its choice and its use


def tool(name, package):
    found = shutil.which(name)
    if found is None:
        raise AssertionError(f"{name} is not installed: apt-get install --no-install-recommends {package}, "
                             "or scripts/install-dependencies --for-tests")
    return found


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get_json(address, path, **parameters):
    url = f"http://{address}{path}?{urllib.parse.urlencode(parameters)}"
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.loads(error.read())


def _answers(address, path):
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


class Server:
    """A program that listens on a loopback port of our choice. stop() leaves nothing."""

    def __init__(self, arguments, ready_path, directory):
        """`arguments` has {address} where the address belongs."""
        self.log = pathlib.Path(directory, pathlib.Path(arguments[0]).name + ".log")
        for _ in range(ATTEMPTS):
            self.address = f"127.0.0.1:{free_port()}"
            with open(self.log, "ab") as log:
                self.child = start([each.format(address=self.address) for each in arguments], stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log, cwd=directory)
            wait_for(lambda: self.child.poll() is not None or _answers(self.address, ready_path), START_SECONDS,
                     f"{arguments[0]} answers")
            if self.child.poll() is None:
                return
            processes.own_children.discard(self.child.pid)
        raise AssertionError(f"{arguments[0]} did not start:\n{self.log.read_text(errors='replace')[-4000:]}")

    def stop(self):
        self.child.terminate()
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        processes.own_children.discard(self.child.pid)


class Prometheus:
    """The checked-in configuration, pointed at `target`, with a scrape and an evaluation each second.

    A second target of the same job has nobody behind it: a manager that is down.
    """

    def __init__(self, target, features=()):
        self.directory = tempfile.mkdtemp(prefix="capsule-prometheus-")
        self.servers = []
        try:
            self._start(target, features)
        except BaseException:
            self.stop()
            raise

    def _start(self, target, features):
        self.node = self._serve([tool("prometheus-node-exporter", "prometheus-node-exporter"),
                                 "--web.listen-address={address}", "--collector.disable-defaults", "--collector.meminfo",
                                 "--collector.filesystem"], "/metrics")
        self.down = f"127.0.0.1:{free_port()}"
        for path in OPS.glob("capsule.*.yml"):
            shutil.copy(path, self.directory)
        text = (OPS / "prometheus.yml").read_text()
        for old, new in (('["127.0.0.1:9123"]', f'["{target}", "{self.down}"]'), ("127.0.0.1:9100", self.node.address),
                         ("scrape_interval: 15s", "scrape_interval: 1s"),
                         ("evaluation_interval: 15s", "evaluation_interval: 1s")):
            assert text.count(old) == 1, f"ops/prometheus/prometheus.yml does not have {old} once"
            text = text.replace(old, new)
        pathlib.Path(self.directory, "prometheus.yml").write_text(text)
        self.server = self._serve([tool("prometheus", "prometheus"), "--config.file=prometheus.yml",
                                   "--storage.tsdb.path=data", "--web.listen-address={address}", "--log.level=warn",
                                   *(f"--enable-feature={each}" for each in features)], "/-/ready")

    def _serve(self, arguments, ready_path):
        self.servers.append(Server(arguments, ready_path, self.directory))
        return self.servers[-1]

    def stop(self):
        for server in self.servers:
            server.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def query(self, expression):
        """The samples of an instant query, as (labels, value). An expression that does not parse fails the test."""
        answer = get_json(self.server.address, "/api/v1/query", query=expression)
        assert answer["status"] == "success", f"{expression}: {answer.get('error')}"
        assert answer["data"]["resultType"] == "vector", f"{expression}: {answer['data']['resultType']}"
        return [(each["metric"], float(each["value"][1])) for each in answer["data"]["result"]]

    def rules(self):
        """Every rule that is loaded, as the API has it: type, name, query, health, lastError."""
        answer = get_json(self.server.address, "/api/v1/rules")
        return [rule for group in answer["data"]["groups"] for rule in group["rules"]]
