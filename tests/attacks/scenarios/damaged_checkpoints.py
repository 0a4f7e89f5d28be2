"""Attacks with saved namespaces: damaged, old, half written, and lying about themselves (table I)."""
import os
import pathlib
import random
import struct
import subprocess
import time

import support
from branches import BranchClient, Refused
from processes import wait_for
from scenarios import scenario
from scenarios.hostile_clients import expect_answer, expect_small, run_works
from scenarios.kept_places import checkpoint_of, zeros

CHUNK = 256 << 10  # limits.h: kFileChunkBytes
NESTED = 200_000  # levels: what recurses over them needs more stack than a thread has
NOISE = "import os; noise = b''.join(os.urandom(1 << 20) for _ in range(%d)); x = %d"  # does not compress


def new_name(word):
    return f"{word}-{time.monotonic_ns()}"


def save(client, name, code):
    session = client.new(rollback="off")
    try:
        outcome = client.run(session, code)
        assert outcome.verdict == "ok", outcome
        return client.session("checkpoint", session, checkpoint=name, durable=True)
    finally:
        client.session("rm", session)


def export(client, name):
    data, size = b"", 1
    while len(data) < size:
        piece = client.ask({"type": "file_get", "checkpoint": name, "offset": len(data)})
        data, size = data + piece.get("data", b""), piece["bytes"]
    return data


def take_in(client, name, data):
    """As the command does it: in pieces, the last of them shorter than the others."""
    for offset in range(0, len(data) + 1, CHUNK):
        client.ask({"type": "checkpoint_put", "name": name, "offset": offset, "last": offset + CHUNK > len(data),
                    "data": data[offset:offset + CHUNK]})


def is_refused(client, name, data):
    try:
        take_in(client, name, data)
    except Refused:
        return True
    client.session("checkpoint_rm", checkpoint=name)
    return False


def restored(client, name, expression="x"):
    session = client.new(checkpoint=name, rollback="off")
    try:
        return client.run(session, expression).result
    finally:
        client.session("rm", session)


def stored(client):
    return {row["name"]: row.get("problem") for row in client.session("checkpoint_ls")["checkpoints"]}


@scenario("I05", "saved namespaces with a bit flipped, an end cut off, parts of two exchanged, bytes behind the end")
def damaged_checkpoints(arena):
    numbers = random.Random(5)
    with BranchClient(arena.manager.socket) as client:
        names = [new_name("whole"), new_name("other")]
        one, other = [save(client, name, f"import os; x = os.urandom({size})") and export(client, name)
                      for name, size in zip(names, (2000, 3000))]
        damaged = []
        for _ in range(100 if arena.short else 10000):
            flipped = bytearray(one)
            flipped[numbers.randrange(len(one))] ^= 1 << numbers.randrange(8)
            damaged.append(bytes(flipped))
        damaged += [one[:size] for size in (0, 1, 15, 16, 100, len(one) // 2, len(one) - 96, len(one) - 1)]
        damaged += [one[:-96] + other[-96:], other[:-96] + one[-96:], one[:-72] + other[-72:],
                    one + b"\0", b"\0" + one, one + other, one[:16] + one]
        damaged.append(one[:-96] + struct.pack(">Q", 1 << 62) + one[-88:])
        for data in damaged:
            assert is_refused(client, "damaged", data), f"taken: {len(data)} bytes where {len(one)} are whole"
        assert set(stored(client)) == set(names) and not any(stored(client).values()), stored(client)
        assert restored(client, names[0], "len(x)") == "2000"
        for name in names:
            client.session("checkpoint_rm", checkpoint=name)
    return [run_works(arena)]


@scenario("I06", "an old saved namespace brought back in the place of a newer one")
def old_checkpoint_replayed(arena):
    with BranchClient(arena.manager.socket) as client:
        name = new_name("balance")
        save(client, name, "x = 'old'")
        old = export(client, name)
        client.session("checkpoint_rm", checkpoint=name)
        save(client, name, "x = 'new'")
        assert is_refused(client, name, old), "an old one took the place of a newer one of its name"
        session = client.new(checkpoint=name, rollback="off")
        for _ in range(2):  # nor while a session lives that came from it, or is saved under that name again
            assert is_refused(client, name, old), "an old one took the place of a newer one of its name"
            try:
                client.session("checkpoint", session, checkpoint=name, durable=True)
                raise AssertionError("a name that is taken was given again")
            except Refused as refusal:
                assert refusal.code == "conflict", refusal
        client.session("rm", session)
        assert restored(client, name) == "'new'"
        client.session("checkpoint_rm", checkpoint=name)
        # Under a name that is free its owner may have it: it is his file. It says itself which one it is.
        take_in(client, name, old)
        assert restored(client, name) == "'old'"
        client.session("checkpoint_rm", checkpoint=name)
    return [run_works(arena)]


ENDS_WHILE_SAVED = NOISE % (4, 2) + """
import signal
class Ends:
    def __reduce__(self):
        if os.getpid() != %d:  # the copy that saves
            os.kill(os.getpid(), signal.SIGKILL)
        return (int, ())
late = Ends()
"""


def limited_second_manager(arena):
    """The disk full in the middle: a manager of its own, so that the first one's log goes on."""
    second = support.Manager().start()
    try:
        with BranchClient(second.socket) as client:
            save(client, "before", NOISE % (1, 1))
            subprocess.run(["prlimit", "--pid", str(second.pid), f"--fsize={3 << 20}:"], check=True)
            try:
                save(client, "after", NOISE % (8, 2))
                raise AssertionError("eight mebibytes were saved where there is place for three")
            except Refused as refusal:
                assert refusal.code == "too_large", refusal
            subprocess.run(["prlimit", "--pid", str(second.pid), "--fsize=unlimited:"], check=True)
            assert stored(client) == {"before": None}, stored(client)
            assert restored(client, "before", "x, len(noise)") == f"(1, {1 << 20})"
            session = client.new()
            client.run(session, NOISE % (16, 3))
            client.post_session("checkpoint", session, checkpoint="after", durable=True)
            directory = pathlib.Path(second.directory, "state", "checkpoints")
            wait_for(lambda: list(directory.rglob(".part-*")), 20, "half a file")
        second.signal(9)
        second.wait_gone()
        second.start()
        with BranchClient(second.socket) as client:
            assert {"before"} <= set(stored(client)) <= {"before", "after"}, stored(client)
            assert not any(stored(client).values()), stored(client)
            assert restored(client, "before", "x, len(noise)") == f"(1, {1 << 20})"
            assert not list(directory.rglob(".part-*")), "half a file is left"
    finally:
        second.signal(15)
        second.wait_gone()
        second.kill()


@scenario("I09", "who saves is killed in the middle: the copy by its own program, the session, the manager; a full disk")
def ended_while_saved(arena):
    directory = pathlib.Path(arena.manager.directory, "state", "checkpoints", str(os.getuid()))
    with BranchClient(arena.manager.socket) as client:
        first, second, third = (new_name(word) for word in ("first", "second", "third"))
        save(client, first, NOISE % (1, 1))
        session = client.new(rollback="off")
        worker = int(client.run(session, "import os; os.getpid()").result)
        assert client.run(session, ENDS_WHILE_SAVED % worker).verdict == "ok"
        saved = client.session("checkpoint", session, checkpoint=second, durable=True)
        assert [row["name"] for row in saved["left_out"]] == ["late"], saved
        asked = [client.post_session("checkpoint", session, checkpoint=third, durable=True), client.post_session("rm", session)]
        client.answers(asked)
        names = stored(client)
        assert {first, second} <= set(names) <= {first, second, third} and not any(names.values()), names
        assert restored(client, first, "x, len(noise)") == f"(1, {1 << 20})"
        assert restored(client, second, "x, len(noise)") == f"(2, {4 << 20})"
        for name in names:
            client.session("checkpoint_rm", checkpoint=name)
        wait_for(lambda: not list(directory.glob(".part-*")), 5, "no half file")
    limited_second_manager(arena)
    return [run_works(arena)]


METADATA = {
    "commands for a terminal": b'{"v":1,"name":"\\u001b]0;owned\\u0007","notes":"\\u001b[31m\\n\\u009b","session":"\\u001b","namespace":'
                               b'{"names":-1,"lists":{"names":[{"name":"\\u001b]0;x\\u0007","type":5}],"modules":["\\u001b"],"left_out":"x"}}}',
    "no text": b'{"v":1,"notes":"\xff\xfe"}',
    "no JSON": b"\x89" * 100,
    "numbers out of range": b'{"v":1e999,"namespace":{"names":-1e400,"functions":-5,"serialised_bytes":18446744073709551616}}',
    "wrong types": b'{"v":[],"namespace":[],"name":{},"session":7,"notes":null,"code":3}',
    "arrays in each other": b'{"v":1,"notes":' + b"[" * NESTED + b"]" * NESTED + b"}",
    "objects in each other": b'{"namespace":' * NESTED + b"1" + b"}" * NESTED,
    "a hundred thousand names": b'{"v":1,"namespace":{"lists":{"names":[' + b",".join([b'{"name":"x"}'] * 100_000) + b"]}}}",
    "nothing": b"",
}


@scenario("I15", "hostile saved namespaces looked at: the payload is not touched, and nothing in the metadata is obeyed or followed")
def hostile_checkpoints_looked_at(arena):
    acts = b"cos\nsystem\n(V" + f"echo loaded >> {arena.tree.directory}/writable; kill -9 {arena.decoy.pid}".encode() + b"\ntR."
    packed = subprocess.run(["zstd", "-qc"], input=acts, capture_output=True, check=True).stdout
    with BranchClient(arena.manager.socket) as client:
        for what, metadata in METADATA.items():
            for payload, length in ((packed, len(acts)), (acts, len(acts)), (zeros(1024), 1 << 30)):
                name = new_name("looked-at")
                try:
                    take_in(client, name, checkpoint_of(payload, length, metadata))
                except Refused:
                    continue
                for words in (("show", name), ("ls",), ("--json", "show", name), ("show", "--json", name)):
                    started = time.monotonic()
                    done = arena.manager.capsule("checkpoints", *words)
                    assert not any(byte in done.out + done.err for byte in (b"\x1b", b"\x07", b"\xc2\x9b")), f"{what}: {done}"
                    assert b"the manager went away" not in done.err, f"{what}: {done}"
                    assert time.monotonic() - started < 5, f"{what}: {words} took {time.monotonic() - started:.1f} s"
                expect_answer(arena)
                client.session("checkpoint_rm", checkpoint=name)
    expect_small(arena)
    return [run_works(arena)]


LIES = r'''
import _capsule_checkpoint_meta, _capsule_restore, json
NESTED = b'{"v":1,"names":1,"whole":true,"lists":{"left_out":%s},"failed":%s}' % ((b"[" * LEVELS + b"]" * LEVELS,) * 2)
'''.replace("LEVELS", str(NESTED))
LIES_WHEN_SAVED = LIES + "_capsule_checkpoint_meta.Metadata.finish = lambda *_: NESTED\nx = 1"
LIES_WHEN_RESTORED = r'''
class Lies:
    def __reduce__(self):
        return exec, (CODE,)
CODE = """LIES_HERE
_capsule_restore.json.dumps = lambda *_, **__: NESTED.decode()"""
x = Lies()
'''.replace("LIES_HERE", LIES)


@scenario("I16", "what a copy says of the namespace it saves, and a worker of the one it restored, nested without end")
def endless_reports(arena):
    with BranchClient(arena.manager.socket) as client:
        for word, code in (("saved", LIES_WHEN_SAVED), ("restored", LIES_WHEN_RESTORED)):
            name = new_name(word)
            try:
                save(client, name, code)
                client.session("checkpoint_show", checkpoint=name)
                restored(client, name)
            except Refused as refusal:
                assert refusal.code in ("invalid", "too_large", "unavailable"), refusal
            expect_answer(arena)
            if name in stored(client):
                client.session("checkpoint_rm", checkpoint=name)
    return [run_works(arena)]
