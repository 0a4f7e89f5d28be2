"""What one run leaves for the next: nothing of a one-shot run, and in a session only what it may."""
from scenarios import scenario

PLANT = r'''
import os, site, sys
planted = []
for place in (".", "/tmp", "/dev/shm", os.path.expanduser("~"), "/workspace", site.getusersitepackages(), *sys.path):
    for name, text in (("sitecustomize.py", "import builtins; builtins.planted = 1"), ("usercustomize.py", "import builtins; builtins.planted = 1"),
                       ("evil.pth", "import builtins; builtins.planted = 1"), ("json.py", "planted = 1"), (".pythonrc", "planted = 1"),
                       ("capsule-attack", "x")):
        try:
            os.makedirs(place or ".", exist_ok=True)
            with open(os.path.join(place or ".", name), "w") as file:
                file.write(text)
            planted.append(place)
        except OSError:
            pass
os.environ["PYTHONSTARTUP"] = "/tmp/.pythonrc"
print(len(planted))
'''
LOOK = r'''
import builtins, json, os, subprocess, sys
found = [place for place in (".", "/tmp", "/dev/shm", os.path.expanduser("~"), "/workspace", *sys.path)
         for name in ("sitecustomize.py", "usercustomize.py", "evil.pth", "json.py", "capsule-attack") if os.path.exists(os.path.join(place or ".", name))
         and not place.startswith(("/usr", "/etc"))]
child = subprocess.run(["/usr/bin/python3", "-c", "import builtins; print(hasattr(builtins, 'planted'))"], capture_output=True, text=True).stdout
print([hasattr(builtins, "planted"), hasattr(json, "planted"), found, child.strip()])
'''


@scenario("C27", "modules and start-up files planted for a later run, the command or the zygote")
def planted_modules(arena):
    first = arena.run(PLANT)
    assert first.verdict == "ok" and int(first.output()) > 0, str(first)
    outcomes = [first]
    for _ in range(4):
        outcome = arena.run(LOOK)
        assert outcome.output() == b"[False, False, [], 'False']\n", str(outcome)
        outcomes.append(outcome)
    return outcomes


STATE = r'''
import decimal, gc, locale, logging, os, random, signal, sys, threading, time, warnings, resource
def state():
    mask = os.umask(0o22)
    os.umask(mask)
    variables = sorted(item for item in os.environ.items() if item[0] != "TRACEPARENT")  # each run has one of its own
    return [os.getcwd(), mask, variables, decimal.getcontext().prec, time.tzname, locale.setlocale(locale.LC_ALL),
            logging.getLogger().level, len(sys.path), sys.getrecursionlimit(), signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
            sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), threading.active_count(), gc.isenabled(), gc.get_threshold(),
            sys.getswitchinterval(), len(warnings.filters), os.getpriority(0, 0), sorted(os.sched_getaffinity(0)), len(sys.meta_path),
            resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_STACK), sys.gettrace() is None, len(sys.argv)]
'''
SPOIL = STATE + r'''
os.chdir("/tmp"); os.umask(0o777); os.environ["TRACE"] = "1"; decimal.getcontext().prec = 3; os.environ["TZ"] = "Asia/Tokyo"; time.tzset()
logging.getLogger().setLevel(1); sys.path.clear(); sys.setrecursionlimit(99); signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [10]); gc.disable(); sys.setswitchinterval(1); warnings.filters.clear(); os.nice(5)
sys.meta_path.clear(); resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20)); sys.argv.extend(["x"] * 9)
'''


@scenario("F22c", "state of a process spoiled by one run: the next ones see none of it")
def spoiled_state(arena):
    clean = arena.run(STATE + "print(state())")
    assert clean.verdict == "ok", str(clean)
    outcomes = [clean]
    for _ in range(3):
        outcomes.append(arena.run(SPOIL))
        after = arena.run(STATE + "print(state())")
        assert after.output() == clean.output(), f"{after.output()!r} after {clean.output()!r}"
        outcomes.append(after)
    return outcomes


@scenario("F22d", "a session's memory error: the cell fails, the session keeps its state")
def memory_error_in_a_session(arena):
    with arena.client() as client:
        client.send({"type": "session", "id": 1, "operation": "new", "session": "memory-attack"})
        assert client.receive_of("document", "error")["type"] == "document"
        try:
            arena.run("kept = list(range(1000))", client=client, session="memory-attack", mode="cell")
            outcome = arena.run("block = bytearray(1 << 30)", client=client, session="memory-attack", mode="cell")
            assert outcome.verdict == "exception", str(outcome)
            assert outcome.finished["error"]["name"] == "MemoryError", str(outcome)
            after = arena.run("print(len(kept))", client=client, session="memory-attack", mode="cell")
            assert after.output() == b"1000\n", str(after)
        finally:
            client.send({"type": "session", "id": 2, "operation": "rm", "session": "memory-attack"})
            client.receive_of("document", "error")
    return [outcome, after]


SOURCES = {
    "a line of ten megabytes": b"x = '" + b"y" * (10 << 20) + b"'",
    "a hundred thousand brackets": b"(" * 100_000,
    "a hundred thousand unary operators": b"-" * 100_000 + b"1",
    "a NUL": b"x = 1\0\n",
    "a byte order mark in the middle": b"x = 1\n\xef\xbb\xbfy = 2",
    "an unknown coding": b"# coding: no-such-coding\n1",
    "a coding that is no text": b"# coding: zlib\nx",
    "line ends that hide code": b"x = 1 #\rimport os; os._exit(9)\r1/0",
    "bytes that are no text": b"\xff\xfe\xfa",
    "a hundred levels of indentation": b"".join(b" " * n + b"if 1:\n" for n in range(101)) + b" " * 101 + b"1",
    "nothing": b"",
}


@scenario("F16", "source code that breaks tokenisers, parsers and compilers")
def hostile_source(arena):
    outcomes = []
    for what, source in SOURCES.items():
        outcome = arena.run(source)
        assert outcome.verdict in ("ok", "exception", "crashed", "exit"), f"{what}: {outcome}"
        outcomes.append(outcome)
    return outcomes


WATCH = r'''
import os, signal, threading, time
ours, seen, stop = {1, os.getpid()}, set(), threading.Event()
open("mine", "wb").write(bytes(300 << 10))
def watch():
    while not stop.is_set():
        ours.update(map(int, os.listdir("/proc/self/task")))
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) not in ours:
                seen.add((name, open(f"/proc/{name}/cmdline").read() if os.path.exists(f"/proc/{name}/cmdline") else ""))
        for pid in range(2, 40):
            if pid not in ours:
                try:
                    os.kill(pid, 0)
                    seen.add(pid)
                except OSError:
                    pass
threading.Thread(target=watch, daemon=True).start()
'''
SIZE = "place = os.statvfs('/workspace'); print(place.f_blocks * place.f_frsize, place.f_files)"


@scenario("A33c", "who makes the workspace smaller is looked for by a thread of the session, and its size fought over")
def workspace_of_a_watching_session(arena):
    missing = {"root", "userns"} - {layer["name"] for layer in arena.layers if layer["state"] == "on"}
    assert not missing, f"a workspace cannot be made smaller without {missing}"
    outcomes = []

    def step(code, **fields):
        outcomes.append(arena.run(code, client=client, session="watching", mode="cell", **fields))
        return outcomes[-1]

    with arena.client() as client:
        client.send({"type": "session", "id": 1, "operation": "new", "session": "watching", "rollback": "off",
                     "limits": {"workspace_bytes": 4 << 20, "workspace_files": 100, "processes": 12}})
        assert client.receive_of("document", "error")["type"] == "document"
        try:
            assert step(WATCH).verdict == "ok", str(outcomes[-1])
            for n in range(20):
                tight = step(SIZE, workspace_bytes=1 << 20, workspace_files=50, processes=5)
                assert tight.output() == b"1048576 50\n", str(tight)
                wide = step(SIZE)
                assert wide.output() == b"4194304 100\n", str(wide)
                refused = step("open('more', 'wb').write(bytes(2 << 20))" if n == 0 else SIZE, workspace_bytes=200 << 10)
                assert refused.verdict == "rejected", str(refused)
            last = step("stop.set(); print(sorted(map(str, seen)))")
            assert last.output() == b"[]\n", str(last)
        finally:
            client.send({"type": "session", "id": 2, "operation": "rm", "session": "watching"})
            client.receive_of("document", "error")
    return outcomes
