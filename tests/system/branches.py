"""A client on one connection that runs code in sessions and asks for snapshots, forks and checkpoints."""
import contextlib
import json
import os

from support import as_user
from wire import RawClient


class Refused(Exception):
    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['message']}")
        self.code, self.message = error["code"], error["message"]


class Outcome:
    """One finished run: verdict, stdout, result (text), evidence."""

    def __init__(self, finished, stdout, stderr, result):
        self.run_id = finished["run_id"]
        self.verdict = finished["verdict"]
        self.exit_status = finished.get("exit_status", 0)
        self.error = finished.get("error")
        self.evidence = finished.get("evidence", {})
        self.stdout, self.stderr, self.result = stdout, stderr, result

    @property
    def state(self):
        return self.evidence.get("session_state")

    @property
    def rollback(self):
        return self.evidence.get("rollback")

    @property
    def fallback(self):
        return self.evidence.get("fallback")

    def __repr__(self):
        return f"{self.verdict} {self.result!r} {self.stdout!r} {self.stderr!r} {self.error} {self.evidence}"


class BranchClient(RawClient):
    def __init__(self, path, timeout=60.0):
        super().__init__(path, timeout)
        self.hello()

    def ask(self, message):
        """The answer to one request; whatever else comes meanwhile is for nobody."""
        self.next_id += 1
        self.send(dict(message, id=self.next_id))
        while True:
            answer = self.receive()
            assert answer is not None, "the manager closed the connection"
            if answer.get("re") != self.next_id:
                continue
            if answer["type"] == "error":
                raise Refused(answer)
            return json.loads(answer["json"]) if answer["type"] == "document" else answer

    def post(self, message):
        """Sends a request and waits for nothing; gives its number, for answers()."""
        self.next_id += 1
        self.send(dict(message, id=self.next_id))
        return self.next_id

    def post_session(self, operation, session="", **fields):
        return self.post({"type": "session", "operation": operation, "session": session, **fields})

    def post_run(self, session, code, **fields):
        return self.post({"type": "execute", "session": session, "mode": "cell", **fields, "code": code.encode()})

    def answers(self, numbers):
        """{number: its one answer}, in the order in which they came; runs that were accepted are waited for, and their
        answer is `finished`."""
        answered, runs, missing = {}, {}, set(numbers)
        while missing:
            try:
                message = self.receive()
            except TimeoutError:
                raise AssertionError(f"no answer to {missing}; the others: {answered}") from None
            assert message is not None, f"the manager closed the connection and owes {missing}"
            number = message.get("re")
            if message["type"] == "accepted":
                runs[message["run_id"]] = number
                continue
            if message["type"] == "finished":
                number = runs.pop(message["run_id"], None)
            if number is None:
                continue
            assert number not in answered, f"answered twice: {answered[number]} and {message}"
            if number in missing:
                missing.discard(number)
                answered[number] = message
        return answered

    def session(self, operation, session="", **fields):
        return self.ask({"type": "session", "operation": operation, "session": session, **fields})

    def new(self, name="", **fields):
        return self.session("new", name, **fields)["session"]

    def info(self, session):
        rows = self.session("ls")["sessions"]
        return next(row for row in rows if row["session"] == session)

    def start(self, session, code, **fields):
        self.next_id += 1
        fields.setdefault("mode", "cell")
        self.send({"type": "execute", "id": self.next_id, "session": session, **fields, "code": code.encode()})
        while True:
            answer = self.receive()
            if answer.get("re") == self.next_id:
                if answer["type"] == "error":
                    raise Refused(answer)
                return answer["run_id"]

    def wait(self, run_id):
        streams, result = {1: b"", 2: b""}, None
        while True:
            message = self.receive()
            assert message is not None, "the manager closed the connection"
            if message.get("run_id") != run_id:
                continue
            if message["type"] == "output":
                streams[message["stream"]] += message["data"]
            elif message["type"] == "result":
                result = message["data"].get("text/plain", b"").decode()
            elif message["type"] == "finished":
                return Outcome(message, streams[1].decode(), streams[2].decode(), result)

    def run(self, session, code, **fields):
        return self.wait(self.start(session, code, **fields))


@contextlib.contextmanager
def connected_as(uid, path):
    """A client of another user, for root. The kernel says of a connection who made it, whoever uses it later; it is made
    by the whole process, so not while other threads are at work."""
    os.setegid(as_user(uid)["extra_groups"][0])
    os.seteuid(uid)
    try:
        client = BranchClient(path)
    finally:
        os.seteuid(0)
        os.setegid(0)
    with client:
        yield client
