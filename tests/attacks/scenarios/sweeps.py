"""Sweeps over whole tables: each system call by each entry, each family of sockets, many fresh workers."""
import json
import subprocess

import cases
import support
from branches import BranchClient, Outcome
from scenarios import scenario

# In the worker: each number in a child of its own; the outcome is an error's name, "ok", "signal N" or "waits".
EACH_CALL = cases.PRELUDE + r'''
import select, signal, time
LEFT_OUT = set(json.loads(%r))
def one(number, entry):
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(out)
        null = os.open("/dev/null", os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        try:
            value = entry(number)
            os.write(into, b"ok")
        except OSError as error:
            os.write(into, errno.errorcode.get(error.errno, str(error.errno)).encode())
        except BaseException as error:
            os.write(into, type(error).__name__.encode())
        os._exit(0)
    os.close(into)
    waits = not select.select([out], [], [], 0.15)[0]
    said = b"" if waits else os.read(out, 100)
    os.close(out)
    if waits:
        os.kill(pid, 9)
    status = os.waitpid(pid, 0)[1]
    if waits:
        return "waits"
    return said.decode() or (f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}")
def by_syscall(number):
    return call(number, 0, 0, 0, 0, 0, 0)
def by_x32(number):
    return call(0x40000000 | number, 0, 0, 0, 0, 0, 0)
def by_int80(number):
    import mmap
    page = mmap.mmap(-1, 4096, prot=7)
    page.write(b"\x53\x31\xdb\x31\xc9\x31\xd2\x31\xf6\x31\xff\xb8" + number.to_bytes(4, "little") + b"\xcd\x80\x5b\xc3")
    value = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
    if value < 0:
        raise OSError(-value, "")
    return value
print(json.dumps({number: one(number, %s) for number in range(%d, %d) if number not in LEFT_OUT}))
'''
# rt_sigreturn and exit end the caller by design; fork-like calls with zero arguments make a second child that answers too.
ENDS_THE_CALLER = [15, 60, 231]
# uretprobe and uprobe: newer kernels let them past every filter, and take them only from places of their own making.
PAST_EVERY_FILTER = [335, 336]
STEP = 128  # numbers a run


def policy():
    done = subprocess.run([support.BUILD / "worker" / "capsule-worker", "--seccomp-table"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, f"capsule-worker --seccomp-table: {done.stderr}"
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {row["nr"]: row for row in rows}


def sweep(arena, entry, first, last, left_out=()):
    found, outcomes = {}, []
    for start in range(first, last, STEP):
        code = EACH_CALL % (json.dumps(list(left_out)), entry, start, min(start + STEP, last))
        outcome = arena.run(code, 60.0)
        assert outcome.verdict == "ok", str(outcome)
        found |= {int(number): what for number, what in json.loads(outcome.output()).items()}
        outcomes.append(outcome)
    return found, outcomes


# What an action of the table has to look like from inside; the others are decided by the kernel or by arguments.
REFUSALS = {"eperm": "EPERM", "enosys": "ENOSYS"}


@scenario("D11", "every system call number from 0 to 1023 with arguments of zero, against the policy table")
def every_system_call(arena):
    table = policy()
    found, outcomes = sweep(arena, "by_syscall", 0, 1024, ENDS_THE_CALLER + PAST_EVERY_FILTER)
    wrong = []
    assert sum(row["action"] in REFUSALS for row in table.values()) > 600, "a table that refuses little"
    for number, what in sorted(found.items()):
        row = table.get(number)
        assert row, f"the table has no row for {number}"
        wanted = REFUSALS.get(row["action"])
        if wanted and what != wanted:
            wrong.append(f"{number} {row['name']}: {what}, the table says {row['action']}")
    assert not wrong, "; ".join(wrong)
    return outcomes


@scenario("D11a", "every x32 number: the process is killed, whatever the number")
def every_x32_call(arena):
    found, outcomes = sweep(arena, "by_x32", 0, 128 if arena.short else 1024)
    wrong = {number: what for number, what in found.items() if what != "signal 31"}
    assert not wrong, f"not killed: {wrong}"
    return outcomes


@scenario("D11b", "every 32-bit number by int 0x80: the process is killed, whatever the number")
def every_int80_call(arena):
    found, outcomes = sweep(arena, "by_int80", 0, 128 if arena.short else 1024)
    wrong = {number: what for number, what in found.items() if what != "signal 31"}
    assert not wrong, f"not killed: {wrong}"
    return outcomes


EACH_SOCKET = cases.PRELUDE + r'''
import socket
found = {}
for family in range(0, 46):
    for kind in (1, 2, 3, 4, 5, 6, 10):
        for flags in (0, 0o2000000 | 0o4000):
            for pair in (False, True):
                try:
                    fd = call(53, family, kind | flags, 0, (ctypes.c_int * 2)()) if pair else call(41, family, kind | flags, 0)
                    found.setdefault(f"{family} {'pair' if pair else 'socket'}", []).append(kind)
                    if not pair:
                        os.close(fd)
                except OSError:
                    pass
print(json.dumps(found))
'''
UNIX, INET, INET6 = 1, 2, 10


def families(arena, profile):
    outcome = arena.run(EACH_SOCKET, profile=profile)
    assert outcome.verdict == "ok", str(outcome)
    found = json.loads(outcome.output())
    return {int(name.split()[0]) for name in found if name.endswith("socket")}, found, outcome


@scenario("D07", "socket and socketpair of every family and type: only AF_UNIX")
def every_socket(arena):
    opened, found, outcome = families(arena, "base")
    assert opened <= {UNIX}, f"families {sorted(opened)}: {found}"
    assert {int(name.split()[0]) for name in found if name.endswith("pair")} <= {UNIX}, found
    return [outcome]


@scenario("D07a", "the same in a profile with loopback: AF_UNIX, AF_INET, AF_INET6, stream and datagram only")
def every_socket_with_loopback(arena):
    opened, found, outcome = families(arena, "loopback")
    assert opened <= {UNIX, INET, INET6}, f"families {sorted(opened)}: {found}"
    for family in (INET, INET6):
        assert set(found.get(f"{family} socket", [1])) <= {1, 2}, found
    assert INET in opened, "loopback has no sockets at all"
    return [outcome]


DESCRIPTORS = r'''
import os
kinds = []
for fd in range(4096):
    try:
        os.fstat(fd)
    except OSError:
        continue
    name = os.readlink(f"/proc/self/fd/{fd}")
    if not (name.startswith("/proc/") and name.endswith(("/stat", "/statm"))):
        kinds.append(name if "timerfd" in name else name.split(":")[0])
print(sorted(kinds))
'''


@scenario("E13b", "the descriptors of many fresh workers, one after the other: always the same")
def descriptors_of_many_workers(arena):
    outcomes = []
    for number in range(50 if arena.short else 1000):
        outcome = arena.run(DESCRIPTORS)
        assert outcome.output() == b"['/dev/null', 'anon_inode:[timerfd]', 'pipe', 'pipe', 'socket']\n", f"spawn {number}: {outcome}"
        outcomes.append(outcome)
    return outcomes


RANDOMNESS = r'''
import hashlib, os, random, secrets, tempfile, uuid
print(random.random(), uuid.uuid4(), secrets.token_hex(8), os.urandom(8).hex(), next(tempfile._get_candidate_names()))
try:
    import ssl
    print(ssl.RAND_bytes(8).hex())
except (ImportError, AttributeError, OSError):
    pass
try:
    import numpy
    print(numpy.random.rand())
except ImportError:
    pass
'''


def differ(outcomes, least):
    """Each printed at least so many words, and none of them a word of another."""
    seen = set()
    for outcome in outcomes:
        words = outcome.stdout.split() if isinstance(outcome, Outcome) else outcome.output().split()
        assert outcome.verdict == "ok" and len(words) >= least, str(outcome)
        assert not seen.intersection(words), f"twice: {seen.intersection(words)}"
        seen.update(words)


@scenario("F24b", "random numbers of many fresh workers: all of them differ")
def randomness_of_many_workers(arena):
    outcomes = [arena.run(RANDOMNESS) for _ in range(30 if arena.short else 1000)]
    differ(outcomes, 5)
    return outcomes


@scenario("F24c", "random numbers of numpy, in fresh workers that have it loaded and in forks of a session that has used it")
def randomness_of_numpy(arena):
    fresh = [arena.run(RANDOMNESS, profile="data") for _ in range(5 if arena.short else 100)]
    differ(fresh, 6)
    with BranchClient(arena.manager.socket) as client:
        source = client.new(profile="data", rollback="off")
        client.run(source, RANDOMNESS + "numpy.random.seed(7); random.seed(7)")
        forks = client.session("fork", source=source, count=4)["forks"]
        try:
            differ([client.run(session, RANDOMNESS) for session in (source, *forks)], 6)
        finally:
            for session in (source, *forks):
                client.session("rm", session)
    return fresh
