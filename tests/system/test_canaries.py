"""What users bring is in none of the places that others read: log, traces, audit, decisions, metrics."""
import json
import pathlib
import unittest
import urllib.error
import urllib.request
import uuid

from support import SMALL, ManagerCase

CANARY = "canary" + uuid.uuid4().hex
SECRET = "geheim" + uuid.uuid4().hex  # in the environment of a session: not even in the records of its runs
DATA_DIRECTORIES = ("records", "checkpoints")  # content, for its owner: its own tests say what is in there

# It is in a variable's name, a function's, a class's, a module's, a thread's; in a value, output, a display, an error.
PROGRAM = f"""
import sys, threading, types, warnings
{CANARY}_name = "{CANARY}"
sys.modules["{CANARY}_module"] = types.ModuleType("{CANARY}_module")
class {CANARY}_Error(Exception): pass
def {CANARY}_function(): raise {CANARY}_Error({CANARY}_name)
print({CANARY}_name)
print({CANARY}_name, file=sys.stderr)
warnings.warn({CANARY}_name)
display({CANARY}_name, display_id={CANARY}_name)
threading.Thread(target=print, args=({CANARY}_name,), name={CANARY}_name).start()
"""
ENDS = {"a value": f"{CANARY}_name", "an error": f"{CANARY}_function()", "a syntax error": f"{CANARY} {CANARY}",
        "an exit": f"sys.exit({CANARY}_name)", "a crash": "import os; os.abort()",
        "a timeout": "while True: pass", "top-level await": "import asyncio, time\nawait asyncio.sleep(0); time.sleep(0.2)"}


class Canaries(ManagerCase):
    config = SMALL + '[server]\nlog_level = "debug"\n'
    arguments = ("--http", "127.0.0.1:0")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.address = cls.manager.info("manager")["manager"]["http"]
        cls.runs = []
        cls.run_one_shots()
        cls.run_in_session()
        cls.ask_for_what_is_not_there()

    @classmethod
    def run_one_shots(cls):
        for end in ENDS.values():
            cls.runs.append(cls.manager.run("--timeout", "1", "-c", PROGRAM + end, "--", CANARY)["run_id"])
        path = pathlib.Path(cls.manager.directory, f"{CANARY}.py")
        path.write_text(PROGRAM)
        cls.runs.append(cls.manager.run("--file", str(path), str(path))["run_id"])
        path.unlink()

    @classmethod
    def run_in_session(cls):
        environment = dict(cls.manager.environment, CAPSULE_SOCKET=cls.manager.socket, **{f"{CANARY}_V": SECRET})
        made = cls.manager.capsule("session", "new", "--secret-env", f"{CANARY}_V", env=environment)
        assert made.status == 0, made
        session = made.out.decode().strip()
        show = f"import os\nsecret = os.environ['{CANARY}_V']\n"
        for code in (PROGRAM + show + "print(secret)\nsecret", show + "raise ValueError(secret)",
                     show + "display(secret)\nos._exit(1)", show + "globals()[secret] = 1\nexec(f'def {secret}(): 1 / 0')\n"
                     "globals()[secret]()"):
            document = cls.manager.exec(session, code)
            cls.runs.append(document["run_id"])
            assert SECRET in json.dumps(document) or document["verdict"] == "exit", document  # its owner sees it
        cls.manager.capsule("session", "fork", session)
        for each in cls.manager.info("sessions")["sessions"]:
            cls.manager.capsule("session", "rm", each["session"])

    @classmethod
    def ask_for_what_is_not_there(cls):
        for arguments in (("run", "--profile", CANARY, "-c", "1"), ("run", "--require", CANARY, "-c", "1"),
                          ("cancel", CANARY), ("exec", CANARY, "-c", "1"), ("session", "rm", CANARY), ("logs", CANARY),
                          ("inspect", CANARY), ("session", "new", "--from", CANARY), ("session", "new", f"{CANARY}/\n")):
            assert cls.manager.capsule(*arguments).status != 0, arguments
        for path in (f"/{CANARY}", f"/metrics?{CANARY}"):
            request = urllib.request.Request(f"http://{cls.address}{path}", headers={"X-API-Key": CANARY, "User-Agent": CANARY})
            try:
                urllib.request.urlopen(request, timeout=20).close()
            except urllib.error.HTTPError as error:
                error.close()

    def places(self):
        """What an operator reads, by where it is."""
        for accept in ("text/plain", "application/openmetrics-text"):
            request = urllib.request.Request(f"http://{self.address}/metrics", headers={"Accept": accept})
            with urllib.request.urlopen(request, timeout=20) as answer:
                yield f"metrics as {accept}", answer.read()
        yield "log", self.manager.log_file.read_bytes()
        state = pathlib.Path(self.manager.directory, "state")
        for path in state.rglob("*"):
            if path.is_file() and path.relative_to(state).parts[0] not in DATA_DIRECTORIES:
                yield str(path.relative_to(state)), path.read_bytes()

    def assert_no_hits(self, word, places):
        hits = [f"{where}: ...{text[max(0, text.find(word) - 150):text.find(word) + 50]}" for where, text in places
                if word in text]
        self.assertEqual(hits, [])

    def test_nothing_of_what_users_bring_is_where_operators_look(self):
        places = list(self.places())
        names = " ".join(where for where, _ in places)
        for kind in ("metrics", "log", "audit", "decisions", "traces"):
            self.assertIn(kind, names)
        written = b"".join(text for _, text in places).decode(errors="replace")
        self.assertEqual([run for run in self.runs if run not in written], [])  # they are the places where runs are
        for word in (CANARY, SECRET):
            self.assert_no_hits(word.encode(), places)

    def test_secrets_are_in_no_file_at_all(self):
        state = pathlib.Path(self.manager.directory)
        files = [path for path in state.rglob("*") if path.is_file()]
        self.assertTrue([path for path in files if "records" in path.parts])
        self.assert_no_hits(SECRET.encode(), [(str(path), path.read_bytes()) for path in files])


if __name__ == "__main__":
    unittest.main()
