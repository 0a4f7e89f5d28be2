"""Attacks on the manager's socket (table J): many, slow, greedy and lying clients."""
import os
import resource
import socket
import struct
import time
import urllib.error
import urllib.request

from cases import LINK_PRELUDE, PRELUDE
from processes import wait_for
from scenarios import scenario
from wire import HELLO, RawClient, frame

MANAGER_MIB = 200  # at most: several floods that its limits let in
CONNECTIONS = 100  # at once; a user may have client.max_connections_per_uid (128)


def expect_small(arena):
    """The manager keeps nothing of what it was flooded with."""
    with open(f"/proc/{arena.manager.pid}/status") as status:
        resident = next(int(line.split()[1]) >> 10 for line in status if line.startswith("VmRSS"))
    assert resident < MANAGER_MIB, f"the manager holds {resident} MiB"


def expect_answer(arena, seconds=1.0):
    started = time.monotonic()
    arena.info("manager")
    took = time.monotonic() - started
    assert took < seconds, f"info took {took:.2f} s"


def run_works(arena):
    outcome = arena.run("print('works')")
    assert (outcome.verdict, outcome.output()) == ("ok", b"works\n"), str(outcome)
    return outcome


def refused(arena, message, codes=("invalid", "too_large", "not_found", "conflict", "refused", "unavailable")):
    """The request is answered by an error, or the connection is closed; nothing is run."""
    with arena.client() as client:
        try:
            client.send(message)
        except OSError:  # it was refused before it was whole
            pass
        while True:
            answer = client.receive()
            if answer is None:
                return None
            if answer["type"] == "error":
                assert answer["code"] in codes, answer
                return answer
            assert answer["type"] not in ("accepted", "document", "ack"), f"{str(message)[:200]} was accepted: {answer}"


@scenario("J03", "a hundred connections that send one byte at a time")
def slow_connections(arena):
    raw = [socket.socket(socket.AF_UNIX) for _ in range(CONNECTIONS)]
    try:
        for each in raw:
            each.connect(arena.manager.socket)
        hello = frame(HELLO)
        for at in range(20):
            for each in raw:
                each.send(hello[at:at + 1])
            expect_answer(arena)
        return [run_works(arena)]
    finally:
        for each in raw:
            each.close()


@scenario("J11", "displays without end, past the wait for an answer, for a client that never reads")
def displays_nobody_reads(arena):
    code = PRELUDE + LINK_PRELUDE + ("\nfor n in range(1, 400):\n    send({'type': 'display', 'id': n, 'run_id': run_id(), "
                      "'data': {'text/plain': b'x' * (1 << 20)}})\n")
    with arena.client() as client:
        run = client.execute(code)
        wait_for(lambda: any(each["run_id"] == run and each["state"] == "finished" for each in arena.info("runs")["runs"]),
                 20, "the end of the run")
        expect_small(arena)
        finished = client.messages_until_finished()[-1]
        assert finished["verdict"] == "worker_lost", finished
    return [run_works(arena)]


@scenario("J11a", "errors of megabytes, which a list of finished runs might keep")
def large_errors(arena):
    code = PRELUDE + LINK_PRELUDE + ("\nlines = ['x' * (1 << 20)] * 10\nsend({'type': 'finished', 'run_id': run_id(), "
                   "'verdict': 'exception', 'error': {'name': 'E', 'value': 'v', 'traceback': lines}})\n")
    for _ in range(30):
        arena.run(code)
    expect_small(arena)
    return [run_works(arena)]


@scenario("J03a", "connections that say nothing at all, more than there may be")
def silent_connections(arena):
    raw = [socket.socket(socket.AF_UNIX) for _ in range(400)]
    try:
        for each in raw:
            each.setblocking(False)
            try:
                each.connect(arena.manager.socket)
            except BlockingIOError:  # as many wait to be accepted as may
                time.sleep(0.01)
        expect_answer(arena)
    finally:
        for each in raw:
            each.close()
    wait_for(lambda: _can_connect(arena), 10, "a new client after the crowd")
    return [run_works(arena)]


def _can_connect(arena):
    try:
        with RawClient(arena.manager.socket, 5) as client:
            return client.hello()
    except (AssertionError, OSError):
        return None


@scenario("J04a", "connections until the client has no descriptors left")
def connections_to_emfile(arena):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    kept = []
    try:
        for _ in range(1500):
            each = socket.socket(socket.AF_UNIX)
            each.settimeout(2)
            try:
                each.connect(arena.manager.socket)
            except OSError:
                each.close()
                break
            kept.append(each)
        expect_answer(arena)
    finally:
        for each in kept:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    wait_for(lambda: _can_connect(arena), 10, "a new client after the crowd")
    return [run_works(arena)]


@scenario("J05", "clients that die in the middle of their runs' output")
def clients_that_die(arena):
    for _ in range(10):
        client = arena.client()
        client.execute("while True: print('x' * 1000)")
        client.receive_of("output")
        client.close()
    return [run_works(arena)]


@scenario("J05a", "clients that die between request and answer, a hundred times")
def clients_that_die_early(arena):
    for n in range(100):
        client = arena.client()
        client.send({"type": "execute", "id": 1, "mode": "script", "code": b"import time; time.sleep(100)"})
        if n % 2:
            client.receive_of("accepted", "error")
        client.close()
    wait_for(lambda: not [r for r in arena.info("runs")["runs"]
                          if r["state"] != "finished" and not r["session"]], 30, "the end of orphaned runs")
    return [run_works(arena)]


@scenario("J05b", "a client that reads nothing while its run prints")
def client_that_does_not_read(arena):
    client = arena.client()
    try:
        client.execute("print('x' * 50_000_000)", output_policy="block")
        time.sleep(0.5)
        expect_answer(arena)
        return [run_works(arena)]
    finally:
        client.close()


@scenario("J06", "code, arguments, names and numbers beyond every limit")
def requests_too_large(arena):
    base = {"type": "execute", "id": 1, "mode": "script", "code": b"1"}
    refused(arena, {**base, "code": b"#" * (13 << 20)})
    refused(arena, {**base, "arguments": ["x"] * 5000})
    refused(arena, {**base, "arguments": ["x" * (2 << 20)]})
    refused(arena, {**base, "filename": "f" * 5000})
    refused(arena, {**base, "timeout_ms": 2**64 - 1})
    refused(arena, {**base, "output_bytes": 2**64 - 1})
    refused(arena, {**base, "output_policy": "drop everything"})
    refused(arena, {**base, "mode": "root"})
    refused(arena, {**base, "profile": "x" * 1000})
    refused(arena, {**base, "run_id": "01a00000-0000-7000-8000-000000000000"})
    refused(arena, {"type": "info", "id": 1, "sections": ["x"] * 5000})
    return [run_works(arena)]


@scenario("J06a", "lengths and counts that promise more than comes")
def bombs_at_the_client_socket(arena):
    for data in (b"\xff\xff\xff\xff", b"\x01\x00\x00\x01" + b"x" * 100, b"\0\0\0\0",
                 struct.pack(">I", 5) + b"\xdd\xff\xff\xff\xff", struct.pack(">I", 5) + b"\xdf\xff\xff\xff\xff",
                 struct.pack(">I", 100000) + b"\x91" * 100000):
        for greeted in (False, True):
            client = RawClient(arena.manager.socket)
            if greeted:
                client.hello()
            try:
                client.send_bytes(data)
                client.socket.shutdown(socket.SHUT_WR)
                while client.receive() is not None:
                    pass
            except OSError:
                pass
            client.close()
            expect_answer(arena)


@scenario("J07", "ids and names with paths, controls, and 4 KiB of them")
def hostile_names(arena):
    for name in ("../../x", "%2e%2e", "a\0b", "x" * 4096, "😀", "A", "a/b", ".", "..", "-", "a b", "a\nb", "con:", "$(id)", "`id`", "\x1b[0m"):
        refused(arena, {"type": "session", "id": 1, "operation": "new", "session": name}) if name not in ("-",) else None
        refused(arena, {"type": "execute", "id": 1, "mode": "cell", "code": b"1", "session": name})
        refused(arena, {"type": "execute", "id": 1, "mode": "script", "code": b"1", "profile": name})
        refused(arena, {"type": "cancel", "id": 1, "run_id": name})
    return [run_works(arena)]


@scenario("J07a", "file names of programs that look like paths and markup: they are labels, nothing is opened")
def hostile_file_names(arena):
    outcomes = []
    for name in (arena.tree.secret, "/etc/shadow", "../../x", "a\nb\x1b[0m", "😀" * 100, '"},{"', "<script>"):
        outcome = arena.run("raise ValueError('x')", filename=name)
        assert outcome.verdict == "exception", str(outcome)
        outcomes.append(outcome)
    return outcomes


@scenario("J13", "a run, a cancel and a session of somebody else, by guessed ids")
def guessed_ids(arena):
    with arena.client() as client:
        for number in range(50):
            client.send({"type": "cancel", "id": number, "run_id": f"01a00000-0000-7000-8000-{number:012d}"})
            answer = client.receive_of("ack", "error")
            assert answer["type"] == "error" and answer["code"] == "not_found", answer


@scenario("J15", "a browser at the metrics port: other hosts' names, other methods, other paths")
def browser_at_the_metrics_port(arena):
    place = f"http://127.0.0.1:{arena.port}"
    for path, method, host in (("/metrics", "GET", "evil.example"), ("/metrics", "POST", None), ("/", "DELETE", None),
                               ("/../../etc/passwd", "GET", None), ("/shutdown", "POST", None), ("/metrics", "GET", "a" * 5000)):
        request = urllib.request.Request(place + path, method=method)
        if host:
            request.add_header("Host", host)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                assert answer.status in (200, 403, 404, 405), answer.status
                assert host is None and method == "GET", f"{method} {path} from {host} was answered"
        except (urllib.error.HTTPError, urllib.error.URLError, OSError):
            pass
    expect_answer(arena)


@scenario("J15a", "HTTP requests that never end, a hundred at once")
def endless_http_requests(arena):
    raw = []
    try:
        for _ in range(100):
            each = socket.create_connection(("127.0.0.1", arena.port), timeout=5)
            each.send(b"GET /metrics HTTP/1.1\r\nX: ")
            raw.append(each)
        expect_answer(arena)
    finally:
        for each in raw:
            each.close()
    wait_for(lambda: b"capsule_" in arena.metrics(), 10, "metrics after the crowd")


@scenario("J18", "CAPSULE_ variables in the client's environment")
def variables_of_the_client(arena):
    environment = {**os.environ, "CAPSULE_SOCKET": arena.manager.socket, "CAPSULE_CONFIG": arena.tree.secret,
                   "CAPSULE_PROFILE": "x", "PYTHONPATH": "/evil", "LD_PRELOAD": ""}
    done = arena.manager.capsule("run", "-c", "import os; print(sorted(k for k in os.environ if 'CAPSULE' in k or 'PYTHON' in k))",
                                 env=environment)
    assert done.status == 0 and done.out == b"[]\n", done


@scenario("J24", "fields that name a tenant, a user, a directory")
def fields_that_are_not_there(arena):
    for extra in ({"uid": 0}, {"user": "root"}, {"tenant": "x"}, {"cwd": "/etc"}, {"environment": {"X": "1"}}, {"mounts": ["/"]},
                  {"layers": []}, {"floor": "unsafe"}, {"priority": 1}):
        refused(arena, {"type": "execute", "id": 1, "mode": "script", **extra, "code": b"1"})
    refused(arena, {"type": "prepare", "id": 1, "profile": "x", "namespaces": "off", "heartbeat_ms": 1,
                    "workspace_bytes": 1, "workspace_files": 1})
    refused(arena, {"type": "branch", "id": 1})
    refused(arena, {"type": "sweep", "id": 1})
    refused(arena, {"type": "exited", "pid": 1, "status": 0})
    return [run_works(arena)]


@scenario("J25", "input for runs that are not there, have ended, or gave no credit")
def input_without_credit(arena):
    with arena.client() as client:
        run_id = client.execute("import sys, time; time.sleep(0.5)", standard_input=True)
        try:
            for _ in range(20):
                client.send({"type": "input", "run_id": run_id, "data": b"x" * 65536})
            answers = [message["type"] for message in client.rest()]
        except OSError:
            answers = ["error"]
        assert "error" in answers, f"the credit was overdrawn and nobody said so: {answers}"
    return [run_works(arena)]


@scenario("J26", "three hundred sessions asked for at once, by a client that then goes away")
def sessions_without_end(arena):
    with arena.client() as client:
        for number in range(300):
            client.send({"type": "session", "id": number, "operation": "new", "session": f"attack-{number}"})
        assert client.receive_of("document", "error")["type"] == "document", "not one session could be made"
        expect_answer(arena, 3.0)
    names = [each["session"] for each in arena.info("sessions")["sessions"]]
    with arena.client() as client:
        for number, name in enumerate(name for name in names if name.startswith("attack-")):
            client.send({"type": "session", "id": number, "operation": "rm", "session": name})
            client.receive_of("document", "error")
    return [run_works(arena)]


@scenario("J27", "five hundred runs at once, and the client goes away")
def runs_without_end(arena):
    client = arena.client()
    for number in range(500):
        client.send({"type": "execute", "id": number, "mode": "script", "code": b"import time; time.sleep(5)"})
    for _ in range(300):
        client.receive_of("accepted", "error")
    expect_answer(arena, 3.0)
    client.close()
    wait_for(lambda: arena.info("queue")["queue"]["depth"] == 0, 30, "an empty queue")
    return [run_works(arena)]


@scenario("K12", "what info and the metrics show of other users' runs")
def what_info_shows(arena):
    outcome = arena.run("hidden = 'CANARY-not-this-one'\nraise ValueError(hidden)")
    text = repr(arena.info()).encode() + arena.metrics()
    assert b"CANARY-not-this-one" not in text, "the text of a run's error stands in info or in the metrics"
    assert outcome.verdict == "exception", str(outcome)
