"""Requests with more in them than there may be, and every byte string the decoder was ever fuzzed with."""
import contextlib
import pathlib
import select
import tempfile
import time

import support
from branches import BranchClient, Refused
from scenarios import scenario
from scenarios.hostile_clients import expect_answer, expect_small, refused, run_works
from wire import RawClient, frame

FILES = 100_000
CROWD, REQUESTS, EXPENSIVE_FILES = 8, 50, 1500  # an answer is some milliseconds' work
FLOOD_S, CELLS_MIN = 3.0, 15  # when it is quiet a neighbour has some eighty in that time
SECRETS, SECRET_BYTES = 64, 32 << 10  # limits.h: kSecrets, kSecretBytes
CORPUS = support.ROOT / "tests" / "fuzz" / "corpus"


def put(client, upload, path, data=b""):
    """The code of the refusal, or None."""
    try:
        client.ask({"type": "file_put", "upload": upload, "path": path.encode(), "data": data})
    except Refused as refusal:
        return refusal.code
    return None


@scenario("J06b", "a hundred thousand files for one run, many uploads that nobody takes, one file of gigabytes, one path a hundred times")
def files_without_end(arena):
    with BranchClient(arena.manager.socket) as client:
        files = FILES // (50 if arena.short else 1)
        taken = sum(put(client, 1, f"f{n}") is None for n in range(files))
        assert 0 < taken <= 1000, f"{taken} of {files} files were taken"
        expect_answer(arena)
        chunk = bytes(256 << 10)
        bytes_taken = sum(len(chunk) for _ in range(600) if put(client, 2, "large", chunk) is None)
        assert 0 < bytes_taken <= 64 << 20, f"{bytes_taken} bytes were taken"
        uploads = sum(put(client, 10 + n, "f", b"x") is None for n in range(200))
        assert uploads <= 64, f"{uploads} uploads wait at the same time"
        assert put(client, 1, "f0") == "invalid", "one path twice"
    for path in ("", "/etc/passwd", "../x", "a/../../x", "a//b", "a/./b", "x" * 2000, "/".join("d" * 40), "a\0b", ".."):
        refused(arena, {"type": "file_put", "id": 1, "upload": 3, "path": path.encode(), "data": b""})
    expect_small(arena)
    return [run_works(arena)]


@scenario("J06c", "an environment of a million variables, of megabytes, of names that are none; secrets beyond their limits")
def environment_too_large(arena):
    new = {"type": "session", "id": 1, "operation": "new", "session": "environment-attack"}
    run = {"type": "execute", "id": 1, "mode": "script"}
    many = {f"V{n}": "x" for n in range(SECRETS + 1)}
    refused(arena, {**new, "secrets": many})
    refused(arena, {**new, "secrets": {f"V{n}": "x" for n in range(100_000 if arena.short else 1_000_000)}})
    refused(arena, {**new, "secrets": {"V": "x" * (SECRET_BYTES + 1)}})
    refused(arena, {**new, "secrets": {"V" * 100_000: "x"}})
    for name in ("", "A=B", "A\0B", "A\nB", "1A", "A B", "\x1b[31m", "😀"):
        refused(arena, {**new, "secrets": {name: "x"}})
    refused(arena, {**new, "secrets": {"V": "a\0b"}})
    refused(arena, {**run, "environment": many, "code": b"1"})
    refused(arena, {**run, "require": ["seccomp"] * 33, "code": b"1"})
    refused(arena, {**run, "request_id": "x" * 129, "code": b"1"})
    expect_small(arena)
    # As many as there may be, as large as they may be: they are there, and its programs can still start others.
    with BranchClient(arena.manager.socket) as client:
        session = client.new(secrets={f"V{n}": "x" * (SECRET_BYTES // 2) for n in range(SECRETS)}, rollback="off")
        try:
            outcome = client.run(session, "import os, subprocess\nsum(k[0] == 'V' for k in os.environ), subprocess.run(['/bin/true']).returncode")
            assert outcome.result == f"({SECRETS}, 0)", outcome
        finally:
            client.session("rm", session)
    return [run_works(arena)]


@scenario("J06d", "a program of a gigabyte, from a file and from standard input of the command")
def program_of_a_gigabyte(arena):
    with tempfile.TemporaryDirectory(prefix="capsule-attack-") as place:
        huge = pathlib.Path(place, "huge.py")
        with open(huge, "wb") as file:
            file.truncate(1 << 30)
        for words in (("run", str(huge)), ("run", "-"), ("run", "--file", str(huge), "-c", "1")):
            with open(huge, "rb") as file:
                done = support.finish(arena.manager.spawn(*words, stdin=file))
            assert done.status == 125, f"{words}: {done}"
    expect_small(arena)
    return [run_works(arena)]


@scenario("G24", "the corpus that the decoder is fuzzed with, to the manager's socket: before a hello, after it, in one piece, byte by byte")
def corpus_of_the_decoder(arena):
    files = sorted(CORPUS.iterdir())
    assert len(files) > 100, f"the corpus is not in {CORPUS}"
    for number, path in enumerate(files):
        data = path.read_bytes()
        for greeted in (False, True):
            with RawClient(arena.manager.socket, 5) as client:
                try:
                    if greeted:
                        client.hello()
                    for piece in (data,) if number % 2 or len(data) > 2000 else (data[n:n + 1] for n in range(len(data))):
                        client.send_bytes(piece)
                except OSError:
                    pass  # it was shown the door
        expect_answer(arena)
    expect_small(arena)
    return [run_works(arena)]


def flood(crowd, request, seconds):
    """As many requests as go in, while every answer is taken."""
    for each in crowd:
        each.socket.setblocking(False)
    sockets = [each.socket for each in crowd]
    left = {each: b"" for each in sockets}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        readable, writable, _ = select.select(sockets, sockets, [], 0.1)
        for each in readable:
            assert each.recv(1 << 20), "the manager closed the connection"
        for each in writable:
            try:
                left[each] = (left[each] or request * REQUESTS)
                left[each] = left[each][each.send(left[each]):]
            except BlockingIOError:
                pass
        time.sleep(0.001)


@scenario("J28", "requests that are cheap to send and not to answer, without end: others are answered in between")
def expensive_requests(arena):
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(BranchClient(arena.manager.socket))
        session = client.new(rollback="off")
        stack.callback(client.session, "rm", session)
        made = client.run(session, f"for n in range({EXPENSIVE_FILES}): open(f'f{{n}}', 'w').close()")
        assert made.verdict == "ok", made
        for kind, fields in (("file_list", {"session": session, "path": b""}), ("info", {})):
            crowd = [stack.enter_context(BranchClient(arena.manager.socket)) for _ in range(CROWD)]
            before = [each.count for each in arena.neighbours.all]
            flood(crowd, frame({"type": kind, "id": 7, **fields}), FLOOD_S)
            cells = [each.count - count for each, count in zip(arena.neighbours.all, before)]
            for each in crowd:
                each.close()
            assert min(cells) >= CELLS_MIN, f"{kind}: the neighbours had {cells} cells in {FLOOD_S} s"
            expect_answer(arena, 3.0)
    return [run_works(arena)]
