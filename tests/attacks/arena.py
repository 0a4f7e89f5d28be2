"""A real manager with two neighbours under load, canaries and traps around it: the place where attacks are run."""
import json
import os
import pathlib
import socket
import subprocess
import time
import urllib.request

import cases
import processes
import support
import traps
from neighbours import Neighbours
from wire import RawClient

QUIET_S = 1.0
START_S = 60.0

# Small limits, so that what fills them up does so quickly.
CONFIG = """
default_profile = "base"
[pool]
warm = 2
capsules = 2
[profiles.data.pool]
warm = 0
capsules = 0
[profiles.loopback]
preload = []
network = "loopback"
[profiles.loopback.pool]
warm = 0
capsules = 0
[profiles.alone]
preload = []
subprocess = false
[profiles.alone.pool]
warm = 0
capsules = 0
[run]
grace_s = 0.3
[worker]
heartbeat_interval_s = 0.5
suspect_after = 3
lost_after = 5
[sandbox]
workspace_bytes = 16777216
workspace_files = 2000
[limits]
memory_bytes = 268435456
memory_soft_bytes = 201326592
processes = 48
open_files = 256
tmp_bytes = 16777216
shm_bytes = 16777216
[checkpoints]
timeout_s = 5
[server]
http = "127.0.0.1:%d"
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Outcome:
    """All that came back of one run."""

    def __init__(self, messages, seconds):
        self.messages = messages
        self.seconds = seconds
        self.finished = messages[-1] if messages and messages[-1]["type"] == "finished" else {}
        self.verdict = self.finished.get("verdict", "none")
        self.evidence = self.finished.get("evidence", {})

    def output(self, stream=1):
        return b"".join(m["data"] for m in self.messages if m["type"] == "output" and m["stream"] == stream)

    def words(self, word):
        """What stands behind `word` on the lines that begin with it."""
        lines = self.output().decode(errors="replace").splitlines()
        return [line[len(word) + 1:] for line in lines if line.split(" ", 1)[0] == word]

    def every_byte(self):
        """Output as it was, whatever it was cut into, and all the rest of the messages."""
        rest = [{key: value for key, value in m.items() if m["type"] != "output" or key != "data"} for m in self.messages]
        return b"\n".join([self.output(1), self.output(2), *_flatten(rest)])

    def __str__(self):
        shown = {key: value for key, value in self.evidence.items() if key not in ("layers", "output")}
        return (f"verdict {self.verdict}, {self.seconds:.1f} s, stdout {self.output()[-1500:]!r}, "
                f"stderr {self.output(2)[-1500:]!r}, error {self.finished.get('error', {}).get('value')!r}, {shown}")


def _flatten(value):
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, str):
        yield value.encode("utf-8", "surrogateescape")
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _flatten(key)
            yield from _flatten(each)
    elif isinstance(value, list):
        for each in value:
            yield from _flatten(each)


class Arena:
    def __init__(self, short):
        self.short = short
        self.canary = traps.new_canary()
        self.port = free_port()
        self.manager = support.Manager(CONFIG % self.port, environment={"CAPSULE_TEST_TOKEN": self.canary})
        self.closers = [self.manager.kill]
        try:
            self._open()
        except BaseException:
            self.kill()
            raise

    def _open(self):
        os.chmod(self.manager.directory, 0o755)  # what stops an attack is to be the sandbox
        self.tree = traps.WatchedTree(self.manager.directory, self.canary)
        self.decoy = traps.Decoy(self.canary)
        self.closers.append(self.decoy.close)
        self.trap = traps.TrapListener(self.manager.directory, self.canary)
        self.closers.append(self.trap.close)
        self.manager.start()
        self.neighbours = Neighbours(self.manager.socket, self.canary, {"NEIGHBOUR_TOKEN": self.canary})
        self.closers.append(self.neighbours.close)
        self.layers = self.run("1").evidence["layers"]
        self.control = self.client()
        processes.wait_for(self.is_settled, START_S, "full stocks")
        self.neighbours.measure_quiet(QUIET_S)

    def client(self, timeout=90.0):
        client = RawClient(self.manager.socket, timeout)
        client.hello()
        return client

    def info(self, *sections):
        """Over one connection of ours: quicker than the command, and it shows how soon the manager answers."""
        self.control.send({"type": "info", "id": 1, "sections": list(sections)})
        return json.loads(self.control.receive_of("document")["json"])

    def is_settled(self):
        """The stocks of all profiles are full, none of their capsules is being made or ended, no run but the neighbours'."""
        return all(self._is_full(pool) for pool in self.info("pools")["pools"])

    def _is_full(self, pool):
        workers, capsules = pool["workers"], pool["capsules"]
        # A neighbour's worker counts as idle between two cells, and as leased during one.
        in_sessions = len(self.neighbours.all) if pool["profile"] == "base" else 0
        if pool["warm_target"] and pool["state"] != "ready":
            return False
        return (workers["idle"] + workers["leased"] == pool["warm_target"] + in_sessions
                and capsules["ready"] == pool["capsule_target"]
                and not workers["starting"] + workers["retiring"] + capsules["starting"])

    def zygotes(self):
        return {pool["profile"]: pool["zygote_pid"] for pool in self.info("pools")["pools"]}

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            return answer.read()

    def facts(self):
        """What a program is told: an attacker who knows everything but the secrets."""
        workers = self.info("workers")["workers"]
        return {
            "manager_pid": self.manager.pid, "manager_socket": self.manager.socket,
            "manager_directory": self.manager.directory, "http_port": self.port,
            "zygote_pid": self.zygotes()["base"], "decoy_pid": self.decoy.pid,
            "neighbour_pids": [w["pid"] for w in workers if w["session"]],
            "trap_port": self.trap.port, "trap_path": self.trap.path, "trap_datagram_path": self.trap.datagram_path,
            "trap_abstract": self.trap.abstract, "watched": str(self.tree.directory), "secret": self.tree.secret,
            "source_tree": str(support.ROOT), "build": str(support.BUILD), "uid": os.getuid(),
        }

    def run(self, code, timeout_s=30.0, feed=None, client=None, **fields):
        """One run over a connection of its own; its outcome."""
        started = time.monotonic()
        own = client or self.client(timeout_s + 60.0)
        try:
            # Bounded by the protocol; a flood is cut by the policy, not kept here.
            run_id = own.execute(code, timeout_ms=int(timeout_s * 1000), standard_input=feed is not None, **fields)
            assert isinstance(run_id, str), run_id
            if feed is not None:
                own.send({"type": "input", "run_id": run_id, "data": feed, "eof": True})
            messages = own.messages_until_finished()
        finally:
            if client is None:
                own.close()
        return Outcome(messages, time.monotonic() - started)

    def missing_layers(self, case, key="needs"):
        on = {layer["name"] for layer in self.layers if layer["state"] == "on"}
        return set(case.keys.get(key, "").split()) - on

    def run_program(self, case):
        fields = {key: case.keys[key] for key in ("profile",) if key in case.keys}
        fields |= {key: int(case.keys[key]) for key in cases.TIGHTENED if key in case.keys}
        fields["output_policy"] = case.keys.get("policy", "truncate")
        fields["output_bytes"] = int(case.keys.get("output_bytes", 8 << 20))
        return self.run(case.code(self.facts(), self.short), case.timeout_s,
                        b"x" * 1000 if "input" in case.keys else None, filename=f"{case.name}.py", **fields)

    def close(self):
        for close in reversed(self.closers[1:]):
            close()
        self.control.close()
        self.manager.stop()
        self.manager.kill()

    def kill(self):
        for close in reversed(self.closers):
            close()


def commit():
    done = subprocess.run(["git", "-c", "safe.directory=*", "-C", support.ROOT, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True)
    return done.stdout.strip() or "unknown"
