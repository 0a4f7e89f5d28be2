"""Attacks on what is kept and on who may come in: names others might share, links where files are written, saved
namespaces, the place of the socket."""
import hashlib
import os
import pathlib
import re
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import time

import support
from branches import BranchClient
from processes import wait_for
from scenarios import scenario
from scenarios.artifacts import check_collected
from scenarios.hostile_clients import expect_answer, expect_small, run_works

NOBODY = 65534

HOLD = """
import socket
held = []
NAMES = ("/tmp/capsule-attack.sock", "/dev/shm/capsule-attack.sock", "\\0capsule-attack", "/workspace/attack.sock")
for name in NAMES:
    one = socket.socket(socket.AF_UNIX); one.bind(name); one.listen(); held.append(one)
"""
CALL = """
import socket
def reached(names):
    for name in names:
        with socket.socket(socket.AF_UNIX) as caller:
            try: caller.connect(name)
            except OSError: continue
            yield name
"""


@scenario("E12", "sockets at names that capsules might share, to pass descriptors")
def names_others_hold(arena):
    session = f"holder-{time.monotonic_ns()}"
    assert arena.manager.capsule("session", "new", session).status == 0
    try:
        held = arena.manager.capsule("exec", session, "-c", HOLD + CALL + "print(len(list(reached(NAMES))))")
        assert held.out == b"4\n", held  # the one who holds them reaches them
        names = HOLD.split("NAMES = ")[1].split("\n")[0]
        outcome = arena.run(f"{CALL}\nprint(list(reached({names})))")
        assert outcome.output() == b"[]\n", str(outcome)
        return [outcome]
    finally:
        arena.manager.capsule("session", "rm", session)


LINKS = """
import os
os.chdir("/workspace")
names = ("stdout", "stderr", "result", "result.json", "output", "log", "log.txt", "script.py", "main.py", "run.py",
         "metadata.json", ".capsule", "exit_code", "status", "artifacts", "core", "nohup.out")
for name in names:
    for place in ("/workspace", "/tmp"):
        os.symlink(%(writable)r, f"{place}/{name}")
for n, place in enumerate((%(watched)r, %(watched)r + "/keys", "/etc", %(manager)r, "/")):
    os.symlink(place, f"link{n}"); os.mkdir(f"d{n}"); os.symlink(place, f"d{n}/deeper"); os.chmod(f"d{n}", 0)
"""


@scenario("C06", "links at names that a supervisor might write or clean up, while it writes, reads and cleans up there")
def links_where_others_write(arena):
    places = {"watched": str(arena.tree.directory), "writable": f"{arena.tree.directory}/writable",
              "manager": arena.manager.directory}
    names = ("stdout", "result.json", "log", "run.py", "artifacts", "core", "link0/new", "link1/id_ed25519", "d0/deeper/new")
    with tempfile.TemporaryDirectory(prefix="capsule-attack-") as place:
        done = arena.manager.capsule("run", "--artifacts", f"{place}/of-run", "-c", LINKS % places)
        assert done.status == 0, done
        session = f"links-{time.monotonic_ns()}"
        assert arena.manager.capsule("session", "new", session, "--rollback", "always").status == 0
        try:
            assert arena.manager.capsule("exec", session, "-c", LINKS % places).status == 0
            source = pathlib.Path(place, "source")
            source.write_text("from outside\n")
            for number, name in enumerate(names):
                arena.manager.capsule("cp", str(source), f"{session}:{name}")
                arena.manager.capsule("cp", f"{session}:{name}", f"{place}/back-{number}")
            arena.manager.capsule("exec", session, "-c", "import os; os.abort()")  # rolled back, swept
        finally:
            assert arena.manager.capsule("session", "rm", session).status == 0
        check_collected(arena, place)


# What loads it does all that: in a capsule nothing of it works, anywhere else the traps and the decoy tell.
LOADS = """
import os
class Bomb:
    def __reduce__(self):
        return exec, (CODE,)
CODE = '''
import os, socket
open("/workspace/loaded", "a").write("x")
os.system("echo loaded >> %(writable)s; kill -9 %(decoy)d")
for act in (lambda: open(%(writable)r, "a").write("loaded"), lambda: os.kill(%(decoy)d, 9),
            lambda: socket.socket(socket.AF_UNIX).connect(%(trap)r)):
    try: act()
    except OSError: pass
'''
bomb = Bomb()
"""


def save_bomb(arena, client, name):
    code = LOADS % {"writable": f"{arena.tree.directory}/writable", "decoy": arena.decoy.pid, "trap": arena.trap.path}
    session = client.new()
    outcome = client.run(session, code)
    assert outcome.verdict == "ok", outcome
    saved = client.session("checkpoint", session, checkpoint=name, durable=True, notes="\x1b]0;owned\x07")
    client.session("rm", session)
    assert (saved["names"], saved["left_out"]) == (4, []), saved


@scenario("I01", "a saved namespace that runs commands when it is loaded; it is looked at, exported, brought back, restored")
def checkpoint_that_acts(arena):
    with BranchClient(arena.manager.socket) as client, tempfile.TemporaryDirectory(prefix="capsule-attack-") as place:
        name = f"bomb-{time.monotonic_ns()}"
        save_bomb(arena, client, name)
        for command in (("ls",), ("show", name), ("export", name, f"{place}/file"), ("import", f"{place}/file", f"{name}-2"),
                        ("show", f"{name}-2"), ("--json", "ls")):
            done = arena.manager.capsule("checkpoints", *command)
            assert done.status == 0 or "--json" in command, f"{command}: {done}"
        found = arena.tree.digest()
        restored = client.new(checkpoint=name)
        assert client.run(restored, "open('/workspace/loaded').read()").result == "'x'", "it was not loaded in its capsule, once"
        assert arena.tree.digest() == found, "it acted outside when it was loaded"
        client.session("rm", restored)
        for each in (name, f"{name}-2"):
            client.session("checkpoint_rm", checkpoint=each)


def checkpoint_of(payload, claimed, metadata=b'{"v":1,"names":[]}'):
    """A file as docs/CHECKPOINTS.md has it, with both digests right."""
    header = b"\x89CAPCKP\n" + struct.pack(">HBBI", 1, 3, sys.version_info.minor, 0)
    lengths = struct.pack(">QQII", len(payload), claimed, len(metadata), 0)
    before = header + payload + metadata + lengths + hashlib.sha256(header + metadata + lengths).digest()
    return before + hashlib.sha256(before).digest() + b"ckptend\n"


def zeros(mebibytes):
    """A zstd frame (RFC 8878) of that many zeros: blocks of 128 KiB in four bytes each."""
    block = 128 << 10
    blocks = b"".join(((block << 3) | 2 | (n == mebibytes * 8 - 1)).to_bytes(3, "little") + b"\0" for n in range(mebibytes * 8))
    return b"\x28\xb5\x2f\xfd" + b"\x00" + b"\x38" + blocks  # no size, a window of 128 KiB


@scenario("I03", "compressed bombs as saved namespaces: gigabytes of zeros, told or untold")
def compressed_bombs(arena):
    assert subprocess.run(["zstd", "-dc"], input=zeros(1), capture_output=True, check=True).stdout == bytes(1 << 20)
    with BranchClient(arena.manager.socket) as client, tempfile.TemporaryDirectory(prefix="capsule-attack-") as place:
        for number, (mebibytes, claimed) in enumerate(((4096, 1000), (4096, 4096 << 20), (4096, 1 << 49), (64, 64 << 20))):
            file = pathlib.Path(place, f"bomb-{number}")
            file.write_bytes(checkpoint_of(zeros(mebibytes), claimed))
            name = f"zeros-{time.monotonic_ns()}"
            taken = arena.manager.capsule("checkpoints", "import", str(file), name)
            expect_answer(arena)
            if taken.status != 0:
                continue
            number_of_request = client.post_session("new", checkpoint=name)
            for _ in range(10):
                expect_answer(arena)
                time.sleep(0.05)
            answer = client.answers([number_of_request])[number_of_request]
            assert answer["type"] == "error", answer
            expect_small(arena)
            client.session("checkpoint_rm", checkpoint=name)
    return [run_works(arena)]


@scenario("I12", "a checkpoint, a cancel, a kill and the removal of one session at the same moment")
def all_at_once(arena):
    for turn in range(5 if arena.short else 50):
        with BranchClient(arena.manager.socket) as client:
            session = client.new(rollback="always")
            assert client.run(session, "import os, time; noise = os.urandom(4 << 20)").verdict == "ok"
            worker = client.info(session)["worker_pid"]
            name = f"at-once-{turn}"
            run = client.post_run(session, "time.sleep(30)" if turn % 2 else "os.abort()")
            asked = [run, client.post_session("checkpoint", session, checkpoint=name, durable=True),
                     client.post_session("checkpoint", session, checkpoint="live"), client.post_session("undo", session)]
            os.kill(worker, 9)
            asked.append(client.post_session("rm", session))
            answers = client.answers(asked)  # each of them exactly once
            assert answers[asked[-1]]["type"] == "document", answers
            ended = answers[run]
            assert ended["type"] == "error" or ended["verdict"] in ("cancelled", "crashed", "worker_lost", "aborted"), ended
            assert session not in [row["session"] for row in client.session("ls")["sessions"]]
            rows = {row["name"]: row for row in client.session("checkpoint_ls")["checkpoints"]}
            if name in rows:
                assert not rows[name].get("problem"), rows[name]
                client.session("checkpoint_rm", checkpoint=name)
    return [run_works(arena)]


HIJACK = """
import os, socket, sys
place = sys.argv[1]
def bind(name):
    with socket.socket(socket.AF_UNIX) as one: one.bind(name)
for what, act in (("connect", lambda: socket.socket(socket.AF_UNIX).connect(place)), ("unlink", lambda: os.unlink(place)),
                  ("rename", lambda: os.rename(place, place + ".old")), ("bind", lambda: bind(place)),
                  ("bind beside", lambda: bind(place + ".new")), ("link", lambda: os.symlink("/tmp", place + ".link"))):
    try:
        act()
        print(what)
    except OSError:
        pass
"""


@scenario("J09", "the manager's socket: taken away and bound anew by another user")
def hijacked_socket(arena):
    place = os.stat(arena.manager.socket)
    assert (place.st_mode & 0o777, place.st_uid) == (0o600, os.getuid()), place
    above = os.stat(os.path.dirname(arena.manager.socket))
    assert above.st_mode & 0o022 == 0 and above.st_uid in (0, os.getuid()), above
    if os.getuid() == 0:  # else there is no other user to try it as
        done = subprocess.run(["/usr/bin/python3", "-c", HIJACK, arena.manager.socket], user=NOBODY, group=NOBODY,
                              extra_groups=[], capture_output=True, check=True, cwd="/")
        assert done.stdout == b"", f"another user could: {done.stdout.decode().split()}"
    now = os.stat(arena.manager.socket)
    assert (now.st_ino, now.st_mode) == (place.st_ino, place.st_mode)
    return [run_works(arena)]


def recorded_run(arena):
    """What a flood before this scenario has left to be written goes first: where the records are behind, output is not
    recorded, and that is said."""
    runs = []

    def is_recorded():
        runs.append(run_works(arena).finished["run_id"])
        return arena.manager.capsule("logs", runs[-1]).out == b"works\n"

    wait_for(is_recorded, 20, "a run whose output is recorded")
    return runs[-1]


@scenario("J21", "a second manager: on the same socket with the same state and with another, on another socket with the same state")
def second_manager(arena):
    config = pathlib.Path(arena.manager.directory, "second.toml")
    config.write_text(arena.manager.config_file.read_text().split("[server]")[0])
    ran = recorded_run(arena)
    with tempfile.TemporaryDirectory(prefix="capsule-attack-") as other:
        command = [support.MANAGER, "--config", config, "--state-dir"]
        for state in (f"{arena.manager.directory}/state", f"{other}/state"):
            before = os.stat(arena.manager.socket).st_ino
            done = subprocess.run([*command, state, "--socket", arena.manager.socket], stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=30)
            assert done.returncode != 0, "a second manager started on the socket of the first"
            assert os.stat(arena.manager.socket).st_ino == before, "the second manager took the socket away"
        # With a socket of its own it may run, beside the first: it writes nothing where that one does.
        second = support.start([*command, f"{arena.manager.directory}/state", "--socket", f"{other}/socket"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: os.path.exists(f"{other}/socket"), 20, "the second manager")
            with BranchClient(f"{other}/socket") as client:
                assert client.session("ls")["sessions"] == [], "it shows the sessions of the first"
        finally:
            second.terminate()
            support.finish(second)
    logs = arena.manager.capsule("logs", ran)
    assert logs.out == b"works\n", f"the first one's records are not what they were: {logs}"
    assert arena.manager.capsule("audit", "verify", f"{arena.manager.directory}/state/audit").status == 0, "the first one's audit log is not what it was"
    return [run_works(arena)]


def sleeps_of(pid):
    """How often its main thread went to sleep by itself. Its processor time says less: it depends on what else runs here,
    and a loop with much to do looks for more before it sleeps."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.M)[1])


@scenario("J04", "connections until the manager has no descriptors left")
def manager_without_descriptors(arena):
    pid = arena.manager.pid
    held = len(os.listdir(f"/proc/{pid}/fd"))
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE, (held + 90, resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]))
    raw = [socket.socket(socket.AF_UNIX) for _ in range(100)]
    try:
        for each in raw:
            each.setblocking(False)
            try:
                each.connect(arena.manager.socket)
            except BlockingIOError:  # as many wait to be accepted as may
                pass
        for _ in range(5):
            expect_answer(arena)  # over a connection that is there
            time.sleep(0.1)
        before_sleeps = sleeps_of(pid)
        time.sleep(1.0)
        assert sleeps_of(pid) - before_sleeps >= 20, f"it spins: it slept {sleeps_of(pid) - before_sleeps} times in a second"
    finally:
        for each in raw:
            each.close()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    wait_for(lambda: _works(arena), 5, "a new client once there are descriptors")
    return [run_works(arena)]


def _works(arena):
    try:
        return arena.run("print('works')").output() == b"works\n"
    except (AssertionError, OSError):
        return None
