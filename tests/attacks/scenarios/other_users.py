"""Attacks by other users of the machine, on a manager that serves them too. Without root there is no other user to try
them as: then only the next run is looked at."""
import contextlib
import json
import os
import urllib.error
import urllib.request

import support
from branches import Refused, connected_as
from processes import wait_for
from scenarios import scenario
from scenarios.hostile_clients import run_works

OWNER, ATTACKER = 2001, 2002
WORD = "CANARY-of-the-owner"
HIDES = f"""
name_{WORD.replace('-', '_')} = '{WORD}'
print(name_{WORD.replace('-', '_')}); open('{WORD}.txt', 'w').write('{WORD}')
import threading; threading.current_thread().name = '{WORD}'
raise ValueError('{WORD}')
"""


def every_question(run, session, checkpoint):
    """All that a client can ask about, or do to, what is not its own."""
    for operation in ("rm", "reset", "undo", "checkpoint", "checkpoint_ls", "restore", "fork", "adopt"):
        yield {"type": "session", "operation": operation, "session": session, "source": session, "checkpoint": checkpoint}
    for operation in ("checkpoint_show", "checkpoint_rm", "new"):
        yield {"type": "session", "operation": operation, "checkpoint": checkpoint}
    for operation in ("show", "log"):
        yield {"type": "record", "operation": operation, "run_id": run, "stream": 1}
    for kind in ("cancel", "trace", "stack"):
        yield {"type": kind, "run_id": run}
    for kind in ("inspect", "tap"):
        yield {"type": kind, "session": session}
    for place in ({"session": session}, {"run_id": run}):
        yield {"type": "file_list", "path": b"", **place}
        yield {"type": "file_get", "path": f"{WORD}.txt".encode(), **place}
    yield {"type": "file_get", "checkpoint": checkpoint}
    yield {"type": "execute", "mode": "cell", "session": session, "code": b"1"}
    yield {"type": "input", "run_id": run, "data": b"x"}


def answer_to(path, uid, question):
    """Over a connection of its own: some of the questions are no messages of a client, and end it."""
    with connected_as(uid, path) as client:
        try:
            return repr(client.ask(question))
        except Refused as refusal:
            return f"{refusal.code}: {refusal.message}"
        except (AssertionError, OSError):
            return "closed"


def seen_without_asking(manager, uid):
    with connected_as(uid, manager.socket) as client:
        yield "info", repr(client.ask({"type": "info"}))
        yield "sessions", repr(client.session("ls"))
        yield "checkpoints", repr(client.session("checkpoint_ls"))
        yield "records", repr(client.ask({"type": "record", "operation": "ls"}))
    address = json.loads(manager.capsule("info", "--json", "manager").out)["manager"]["http"]
    for path in ("/metrics", "/health", "/version", "/", "/info", "/runs", "/sessions", "/v1/runs"):
        with contextlib.suppress(urllib.error.HTTPError):
            with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
                yield path, answer.read().decode()


def look_at_another(manager):
    with connected_as(OWNER, manager.socket) as owner:
        session = owner.new("owners")
        failed = owner.run(session, HIDES)
        assert failed.verdict == "exception", failed
        owner.session("checkpoint", session, checkpoint="owners-save", durable=True, notes=WORD)
        run = owner.start(session, "import time; print('up', flush=True); time.sleep(60)")
        wait_for(lambda: owner.info(session)["state"] == "busy", 20, "the owner's run")
        for where, text in seen_without_asking(manager, ATTACKER):
            for word in (WORD, session, run, failed.run_id, "owners-save"):
                assert word not in text, f"{word} stands in {where} of another user"
        for run_id in (run, failed.run_id):
            for question in every_question(run_id, session, "owners-save"):
                answer = answer_to(manager.socket, ATTACKER, question)
                assert WORD not in answer, f"{question}: {answer}"
                assert answer == "closed" or answer.split(":")[0] in ("not_found", "invalid", "refused", "conflict"), \
                    f"{question}: {answer}"
        owner.ask({"type": "cancel", "run_id": run})
        assert owner.wait(run).verdict == "cancelled"
        assert owner.run(session, f"name_{WORD.replace('-', '_')}").result == repr(WORD), "the owner's session is not what it was"
        assert [row["name"] for row in owner.session("checkpoint_ls")["checkpoints"]] == ["owners-save"]


@scenario("K12a", "another user of the same manager, who knows the ids: info, records, traces, files, frames, metrics of what is not his")
def what_another_user_sees(arena):
    if os.getuid() == 0:
        manager = support.Manager(support.SMALL + support.SHARED, ["--http", "127.0.0.1:0"])
        try:
            look_at_another(manager.start())
            manager.signal(15)
            manager.wait_gone()
        finally:
            manager.kill()
    return [run_works(arena)]
