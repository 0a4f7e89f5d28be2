"""Records of runs: what is written of each, that it outlives the manager, and who may read it."""
import json
import os
import pathlib
import random
import re
import signal
import sqlite3
import tempfile
import threading
import time
import unittest

import yaml

from processes import wait_for
from support import SHARED, SMALL, Manager, ManagerCase, as_user, read_event

KILLS = int(os.environ.get("CAPSULE_RECORD_KILLS", "6"))
VERDICTS = {"ok", "exception", "exit", "cancelled", "timeout", "cpu_limit", "out_of_memory", "output_limit", "crashed",
            "violation", "worker_lost", "rejected", "aborted", "internal_error"}


def records_of(manager):
    return pathlib.Path(manager.directory, "state", "records")


def inspect(manager, run_id, **options):
    done = manager.capsule("inspect", "--json", run_id, **options)
    assert done.status == 0, done
    return done.document()


def folder_of(manager, run_id):
    return records_of(manager) / "runs" / run_id


def listed(manager, *arguments):
    done = manager.capsule("ps", "--all", "--json", *arguments)
    assert done.status == 0, done
    return {run["run_id"]: run for run in done.document()["runs"]}


class Records(ManagerCase):
    def test_a_finished_run_has_a_directory_with_what_it_wrote(self):
        run = self.manager.run_code("import sys; print('out'); print('err', file=sys.stderr); 6 * 7")
        info = inspect(self.manager, run["run_id"])
        folder = folder_of(self.manager, run["run_id"])
        self.assertEqual((folder / "stdout.txt").read_text(), "out\n")
        self.assertEqual((folder / "stderr.txt").read_text(), "err\n")
        self.assertIn("print('out')", (folder / "code.py").read_text())
        results = json.loads((folder / "results.json").read_text())["results"]
        self.assertEqual(results[-1]["data"]["text/plain"], "42")
        self.assertEqual(info["verdict"], "ok")
        self.assertEqual(info["state"], "finished")
        self.assertEqual(info["uid"], os.geteuid())
        self.assertEqual(set(info["files"]), {"code", "stdout", "stderr", "results", "trace"})
        self.assertEqual(info["output"]["stdout_bytes"], 4)
        self.assertGreater(info["memory"]["peak_bytes"], 1 << 20)
        self.assertGreaterEqual(info["total_s"], info["execution_s"])
        self.assertEqual(len(info["code"]["sha256"]), 64)
        self.assertEqual(info["layers"], {layer["name"]: layer["state"] for layer in run["layers"]})
        for key in ("created_at", "started_at", "finished_at", "worker_pid", "host", "python", "limits", "usage"):
            self.assertTrue(info[key], key)

    def test_a_record_has_the_figures_of_its_run_limits_and_host(self):
        code = ("import platform, resource, threading, time\nheld = bytearray(b'x') * (64 << 20)\n"
                "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
                "end = time.process_time() + 0.3\nwhile time.process_time() < end: pass\nprint(platform.python_version())")
        run = self.manager.run_code(code, "--timeout", "50", "--cpu", "40")
        info = inspect(self.manager, run["run_id"])
        memory, usage = info["memory"], info["usage"]
        self.assertGreater(memory["start_bytes"], 1 << 20)
        self.assertGreater(memory["peak_bytes"], memory["start_bytes"] + (60 << 20))
        self.assertGreater(memory["end_bytes"], 1 << 20)
        self.assertLess(memory["end_bytes"], memory["peak_bytes"])  # what the program held is gone with it
        self.assertGreaterEqual(info["threads"], 3)  # Python, the link, its own
        self.assertGreaterEqual(usage["cpu_user_s"] + usage["cpu_system_s"], 0.3)
        self.assertAlmostEqual(usage["cpu_percent"],
                               100 * (usage["cpu_user_s"] + usage["cpu_system_s"]) / info["execution_s"], places=3)
        self.assertEqual((info["limits"]["wall_s"], info["limits"]["cpu_s"]), (50, 40))
        for limit in ("output_bytes", "processes", "open_files", "workspace_bytes", "workspace_files"):
            self.assertGreater(info["limits"][limit], 0, limit)
        self.assertEqual((info["host"], info["python"]), (os.uname().nodename, run["stdout"].strip()))

    def test_what_nobody_could_look_at_any_more_is_none_and_not_nothing(self):
        info = inspect(self.manager, self.manager.run_code("import os; os.abort()")["run_id"])
        self.assertIsNone(info["memory"]["end_bytes"])
        self.assertIsNone(info["threads"])
        self.assertGreater(info["memory"]["start_bytes"], 1 << 20)

    def test_run_info_is_yaml_that_says_the_same(self):
        run = self.manager.run_code("raise ValueError('a: \"b\"\\n- c')")
        info = inspect(self.manager, run["run_id"])
        text = (folder_of(self.manager, run["run_id"]) / "run-info.yaml").read_text()
        self.assertEqual(yaml.safe_load(text), info)
        lines = dict(line.split(": ", 1) for line in text.splitlines() if line and line[0] != " " and ": " in line)
        for key in ("run_id", "state", "verdict", "uid", "exit_status", "created_at", "session"):
            self.assertEqual(json.loads(lines[key]), info[key], key)
        self.assertIn('  value: "a: \\"b\\"\\n- c"\n', text)

    def test_no_file_is_empty(self):
        run = self.manager.run_code("pass")
        inspect(self.manager, run["run_id"])
        names = sorted(p.name for p in folder_of(self.manager, run["run_id"]).iterdir())
        self.assertEqual(names, ["code.py", "run-info.yaml", "trace.jsonl"])

    def test_ps_all_lists_finished_runs_latest_first_and_the_index_has_one_row_each(self):
        runs = [self.manager.run_code("exit(3)")["run_id"] for _ in range(3)]
        rows = listed(self.manager)
        self.assertEqual([rows[run]["verdict"] for run in runs], ["exit"] * 3)
        ids = list(rows)
        self.assertEqual(ids, sorted(ids, reverse=True))
        with sqlite3.connect(f"file:{records_of(self.manager)}/index.sqlite?mode=ro", uri=True) as index:
            for run in runs:
                self.assertEqual(index.execute("select count(*) from runs where run_id = ?", (run,)).fetchone(), (1,))

    def test_a_running_run_is_recorded_and_its_output_can_be_followed(self):
        child = self.manager.spawn("run", "--events", "-c",
                                   "import time\nfor i in range(40): print('line', i, flush=True); time.sleep(0.05)")
        run_id = read_event(child, "accepted")["run_id"]
        wait_for(lambda: self.manager.capsule("logs", run_id).out.startswith(b"line 0\n"), 20, "the first line")
        self.assertIn(inspect(self.manager, run_id)["state"], ("running", "finished"))
        followed = self.manager.capsule("logs", "-f", run_id)
        self.assertEqual((followed.status, followed.out), (0, b"".join(b"line %d\n" % i for i in range(40))), followed)

    def test_logs_start_at_any_offset_and_keep_the_streams_apart(self):
        text = "".join(f"{i:06}" for i in range(100_000))  # 600 kB: several answers
        run = self.manager.run_code("import sys\nsys.stdout.write(''.join(f'{i:06}' for i in range(100_000)))\n"
                                    "sys.stderr.write('abcdef')")
        whole = self.manager.capsule("logs", run["run_id"])
        self.assertEqual((whole.status, whole.out.decode(), whole.err), (0, text, b"abcdef"))
        for offset in (0, 1, 262_143, 262_144, 599_999, 600_000, 700_000):
            part = self.manager.capsule("logs", "--stream", "stdout", "--offset", str(offset), run["run_id"])
            self.assertEqual((part.status, part.out.decode()), (0, text[offset:]), offset)
        lines = self.manager.capsule("logs", "--json", "--stream", "stderr", "--offset", "4", run["run_id"])
        self.assertEqual(json.loads(lines.out)["data"], "ef")

    def test_an_offset_that_is_none_is_a_mistake_of_the_command_line(self):
        for text in ("-1", "18446744073709551616", "4K", ""):
            done = self.manager.capsule("logs", "--offset", text, "none")
            self.assertEqual(done.status, 2, done)
            self.assertIn(b"capsule logs --help", done.err)

    def test_what_a_command_says_is_one_line_whatever_it_was_given(self):
        for words in (("logs", "no\nsuch\x1b[31m"), ("exec", "a\rb\nc", "-c", "1"), ("no\nsuch",)):
            done = self.manager.capsule(*words)
            self.assertNotEqual(done.status, 0)
            lines = done.err.splitlines()
            self.assertTrue(all(line.startswith(b"capsule: ") for line in lines), lines)
            self.assertIsNone(re.search(rb"[\x00-\x09\x0b-\x1f]", done.err), done.err)

    def test_logs_can_show_control_characters_as_text(self):
        run = self.manager.run_code("print('\\x1b[2Jweg')")
        self.assertEqual(self.manager.capsule("logs", run["run_id"]).out, b"\x1b[2Jweg\n")
        self.assertEqual(self.manager.capsule("logs", "--escape", run["run_id"]).out, b"\\x1b[2Jweg\n")

    def test_more_than_is_recorded_is_counted(self):
        run = self.manager.run_code("import sys; sys.stdout.write('x' * 3_000_000)")
        info = inspect(self.manager, run["run_id"])
        kept = (folder_of(self.manager, run["run_id"]) / "stdout.txt").stat().st_size
        self.assertEqual(kept, 1 << 20)
        self.assertEqual(info["output"]["stdout_unrecorded_bytes"], 3_000_000 - kept)
        self.assertIn(b"were not recorded", self.manager.capsule("logs", run["run_id"]).err)

    def test_a_run_that_never_started_is_recorded(self):
        with self.manager.raw() as client:
            client.hello()
            blocker = client.execute("import time; time.sleep(60)", session="")
            self.manager.capsule("cancel", blocker)
            client.messages_until_finished()
        self.assertEqual(inspect(self.manager, blocker)["verdict"], "cancelled")
        refused = self.manager.capsule("run", "--require", "nothing", "-c", "1")
        self.assertEqual(refused.status, 125)  # not accepted, so not recorded

    def test_a_run_of_nobody_is_not_found(self):
        for command in ("inspect", "logs"):
            for name in ("no-such-run", "../../x", ""):
                done = self.manager.capsule(command, name)
                self.assertNotEqual(done.status, 0)
                self.assertEqual(done.out, b"")

    def test_runs_of_sessions_say_which_and_what_was_rolled_back(self):
        session = self.manager.capsule("session", "new").out.decode().strip()
        self.manager.exec(session, "x = 1")
        crashed = self.manager.exec(session, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
        info = inspect(self.manager, crashed["run_id"])
        self.assertEqual((info["session"], info["verdict"]), (session, crashed["verdict"]))
        self.assertEqual(info["evidence"]["session_state"], crashed["evidence"]["session_state"])
        self.manager.capsule("session", "rm", session)


class Retention(ManagerCase):
    config = SMALL + "[records]\nmax_runs = 5\n"

    def test_the_oldest_records_go_first(self):
        runs = [self.manager.run_code(f"print({i})")["run_id"] for i in range(9)]
        wait_for(lambda: len(listed(self.manager)) == 5, 20, "five records")
        self.assertEqual(list(listed(self.manager)), runs[:-6:-1])
        folders = sorted(p.name for p in (records_of(self.manager) / "runs").iterdir())
        self.assertEqual(folders, sorted(runs[-5:]))


class Age(ManagerCase):
    config = SMALL + "[records]\nmax_age_s = 1\n"

    def test_records_that_are_too_old_go(self):
        first = self.manager.run_code("1")["run_id"]

        def is_gone():
            self.manager.run_code("1")
            return first not in listed(self.manager)

        wait_for(is_gone, 20, "the end of an old record")


class Content(ManagerCase):
    config = SMALL + "".join(f'[profiles.{name}]\n[profiles.{name}.run]\nrecorded = "{recorded}"\n'
                             f"[profiles.{name}.pool]\nwarm = {warm}\ncapsules = {warm}\n"
                             for name, recorded, warm in (("facts", "none", 1), ("sources", "code", 0),
                                                          ("prints", "output", 0)))

    def run_with_canaries(self, profile):
        """Each kind of content has a word of its own."""
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "papagei.py")
            path.write_text("class Amsel(Exception): pass\ndef wellensittich(): raise Amsel('nachtigall')\n"
                            "print('kanarienvogel')\nwellensittich()\n")
            run = self.manager.run("--profile", profile, path, "--", "zaunkoenig")
        self.assert_verdict(run, "exception")
        info = inspect(self.manager, run["run_id"])
        files = {p.name for p in folder_of(self.manager, run["run_id"]).iterdir()} - {"run-info.yaml", "trace.jsonl"}
        text = "".join(p.read_text() for p in folder_of(self.manager, run["run_id"]).iterdir())
        found = {word for word in ("papagei", "Amsel", "nachtigall", "kanarienvogel", "wellensittich", "zaunkoenig")
                 if word in text}
        return info, files, found

    def test_with_code_only_nothing_that_a_program_says_is_recorded(self):
        info, files, found = self.run_with_canaries("sources")
        self.assertEqual(files, {"code.py"})
        self.assertEqual(info["error"], {"name": "Amsel", "value": "", "traceback": []})
        # What it says and raises stands in this code.
        self.assertEqual(found, {"papagei", "Amsel", "nachtigall", "kanarienvogel", "wellensittich", "zaunkoenig"})
        said = self.manager.run_code("import os; print('gold' + 'ammer'); raise ValueError('gold' + 'ammer')",
                                     "--profile", "sources")
        inspect(self.manager, said["run_id"])
        for path in folder_of(self.manager, said["run_id"]).iterdir():
            self.assertNotIn("goldammer", path.read_text(), path)

    def test_with_output_only_nothing_of_the_code_is_recorded(self):
        info, files, found = self.run_with_canaries("prints")
        self.assertEqual(files, {"stdout.txt"})
        self.assertEqual(info["error"], {"name": None, "value": "nachtigall", "traceback": []})
        self.assertEqual((info["filename"], found), (None, {"nachtigall", "kanarienvogel"}))

    def test_without_content_not_even_names_of_files_and_classes_are_recorded(self):
        info, files, found = self.run_with_canaries("facts")
        self.assertEqual((files, found), (set(), set()))
        self.assertEqual(info["error"], {"name": None, "value": "", "traceback": []})

    def test_a_profile_can_keep_content_out_of_records(self):
        run = self.manager.run_code("print('kanarienvogel'); raise ValueError('kanarienvogel')", "--profile", "facts")
        info = inspect(self.manager, run["run_id"])
        self.assertEqual(info["recorded"], "none")
        self.assertEqual(info["error"]["name"], "ValueError")
        self.assertEqual(sorted(p.name for p in folder_of(self.manager, run["run_id"]).iterdir()), ["run-info.yaml", "trace.jsonl"])
        self.assertEqual(info["output"]["stdout_unrecorded_bytes"], len("kanarienvogel\n"))
        self.assert_nowhere(b"kanarienvogel")

    def test_secrets_of_a_session_are_blotted_out_wherever_they_turn_up(self):
        secret = "geheim-9f3a77c1d2"
        environment = dict(self.manager.environment, CAPSULE_SOCKET=self.manager.socket, TOKEN=secret)
        session = self.manager.capsule("session", "new", "--secret-env", "TOKEN", env=environment)
        self.assertEqual(session.status, 0, session)
        session = session.out.decode().strip()
        code = ("import os, sys, time\nt = os.environ['TOKEN']\nprint('a', t, 'b')\n"
                "for c in t: sys.stdout.write(c); sys.stdout.flush(); time.sleep(0.02)\n"
                "display(t)\nraise ValueError('with ' + t)")
        run = self.manager.exec(session, code)
        self.assertIn(secret, run["stdout"])  # its owner sees it
        info = inspect(self.manager, run["run_id"])
        self.assertIn("*" * len(secret), info["error"]["value"])
        logs = self.manager.capsule("logs", run["run_id"]).out.decode()
        self.assertEqual(logs, run["stdout"].replace(secret, "*" * len(secret)))
        self.assert_nowhere(secret.encode())
        self.manager.capsule("session", "rm", session)

    def session_with_secret(self, secret):
        environment = dict(self.manager.environment, CAPSULE_SOCKET=self.manager.socket, TOKEN=secret)
        done = self.manager.capsule("session", "new", "--secret-env", "TOKEN", env=environment)
        self.assertEqual(done.status, 0, done)
        session = done.out.decode().strip()
        self.addCleanup(self.manager.capsule, "session", "rm", session)
        return session

    def test_a_secret_is_blotted_out_as_python_and_json_write_it(self):
        session = self.session_with_secret("-- QVBX --\nQQ\tWVKX 'a' \"b\" \\ \u00e4\u20ac\nQVYW line")
        run = self.manager.exec(session, "import json, os\nt = os.environ['TOKEN']\n"
                                "print([t], ascii(t), t.encode(), json.dumps(t), json.dumps(t, ensure_ascii=False), os.environb)\n"
                                "for line in t.splitlines(): print('>', line)\ndisplay({'t': t})\nraise ValueError(t, {t: 1})")
        self.assertIn("WVKX", run["stdout"])
        inspect(self.manager, run["run_id"])
        for part in ("WVKX", "QVBX", "QVYW", "\u20ac", "\\u20ac", "\\xe2"):
            self.assert_nowhere(part.encode())

    def test_a_secret_that_is_cut_at_a_bound_leaves_no_part_of_itself(self):
        session = self.session_with_secret("QZJXKVWYGBPF")
        for code, options in (
                ("print('.' * ((1 << 20) - 6) + os.environ['TOKEN'])", ()),  # run.recorded_output_bytes
                ("print('.' * 90 + os.environ['TOKEN'])", ("--output-limit", "96", "--output-policy", "truncate")),
                ("print(os.environ['TOKEN'] + '.' * 4090, flush=True); os._exit(1)", ())):  # evidence.last_output
            with self.subTest(code):
                run = self.manager.exec(session, "import os; " + code, *options)
                inspect(self.manager, run["run_id"])
                for part in (b"QZJX", b"WYGB", b"GBPF"):
                    self.assert_nowhere(part)

    def assert_nowhere(self, canary):
        for path in [*records_of(self.manager).rglob("*"), self.manager.log_file]:
            if path.is_file():
                self.assertNotIn(canary, path.read_bytes(), path)


@unittest.skipIf(os.geteuid() != 0, "needs a second user: only root can act as one")
class Users(ManagerCase):
    config = SMALL + SHARED

    def test_a_user_sees_only_his_own_runs(self):
        mine = self.manager.run_code("print('mine')")["run_id"]
        done = self.manager.capsule("run", "--json", "-c", "print('theirs')", **as_user(1000))
        theirs = done.document()["run_id"]
        seen = self.manager.capsule("ps", "--all", "--json", **as_user(1000)).document()["runs"]
        self.assertEqual([run["run_id"] for run in seen], [theirs])
        self.assertEqual(self.manager.capsule("logs", theirs, **as_user(1000)).out, b"theirs\n")
        for command in ("logs", "inspect", "trace"):
            refused = self.manager.capsule(command, mine, **as_user(1000))
            self.assertEqual((refused.status, refused.out), (125, b""), refused)
        self.assertEqual(self.manager.capsule("logs", theirs).out, b"theirs\n")  # root sees all


class Off(ManagerCase):
    config = SMALL + "[records]\nmax_runs = 0\n"

    def test_without_records_runs_work_and_ps_shows_what_is_remembered(self):
        run = self.manager.run_code("print(1)")["run_id"]
        self.assertIn(run, listed(self.manager))
        self.assertEqual(self.manager.capsule("logs", run).status, 125)
        self.assertFalse((records_of(self.manager) / "runs").exists())


class Killed(unittest.TestCase):
    """SIGKILL of the manager at random moments, under load."""

    def setUp(self):
        self.manager = Manager()
        self.addCleanup(self.manager.kill)
        self.accepted, self.aborted, self.verdicts = set(), set(), {}

    def load(self, stop):
        codes = ("print('x')", "1/0", "import time; time.sleep(0.2)", "print('y' * 100000)")
        while not stop.is_set():
            try:
                with self.manager.raw() as client:
                    client.hello()
                    run = client.execute(random.choice(codes))
                    if isinstance(run, dict):
                        continue
                    self.accepted.add(run)
                    self.verdicts[run] = client.messages_until_finished()[-1]["verdict"]
            except (OSError, AssertionError):
                time.sleep(0.01)

    def test_what_it_had_printed_is_known_and_when_it_ended_is_not(self):
        self.manager.start()
        child = self.manager.spawn("run", "--events", "-c", "import time; print('up', flush=True); time.sleep(60)")
        run = read_event(child, "output")["run_id"]
        stdout = records_of(self.manager) / "runs" / run / "stdout.txt"
        wait_for(lambda: stdout.exists() and stdout.stat().st_size == 3, 20, "recorded output")
        self.manager.signal(signal.SIGKILL)
        self.manager.wait_gone()
        self.manager.end_commands()
        self.manager.start()
        row = wait_for(lambda: [r for r in self.manager.capsule("ps", "--all", "--json").document()["runs"]
                                if r["run_id"] == run and r["verdict"] == "aborted"], 20, "its record")[0]
        self.assertEqual((row["stdout_bytes"], row["stderr_bytes"], row["running_s"]), (3, 0, None))
        info = inspect(self.manager, run)
        self.assertEqual(set(info["usage"].values()) | set(info["memory"].values()), {None}, info)
        self.assertEqual(self.manager.capsule("inspect", run).status, 0)
        self.assertIsNone(self.manager.capsule("trace", "--json", run).document()["total_us"])
        self.assertIn(b"aborted, nobody knows when", self.manager.capsule("trace", run).out)
        self.manager.stop()

    def kill_once(self):
        stop = threading.Event()
        threads = [threading.Thread(target=self.load, args=(stop,)) for _ in range(3)]
        self.manager.start()
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(0.05, 0.8))
        self.manager.signal(signal.SIGKILL)
        self.manager.wait_gone()
        stop.set()
        for thread in threads:
            thread.join()

    def check(self):
        self.manager.start()
        self.manager.run_code("1")
        found = wait_for(self.all_final, 60, "an end of every run")
        for run in self.accepted:
            self.assertIn(run, found)
            self.assertIn(found[run]["verdict"], VERDICTS)
            if found[run]["verdict"] == "aborted":
                self.aborted.add(run)
            if run in self.verdicts:  # what the client was told stays true
                self.assertEqual(found[run]["verdict"], self.verdicts[run], run)
        for folder in (records_of(self.manager) / "runs").iterdir():
            info = (folder / "run-info.yaml").read_text()
            self.assertIn('\nstate: "finished"\n', info)
            self.assertIn(f'\nverdict: "{found[folder.name]["verdict"]}"\n', info)
            self.assertNotIn(".part", [p.name for p in folder.iterdir()])
        self.manager.stop()

    def all_final(self):
        with sqlite3.connect(f"file:{records_of(self.manager)}/index.sqlite?mode=ro", uri=True) as index:
            if index.execute("select count(*) from runs where final = 0").fetchone() != (0,):
                return None
            rows = index.execute("select run_id, info from runs").fetchall()
        found = {run: json.loads(info) for run, info in rows}
        folders = {folder.name for folder in (records_of(self.manager) / "runs").iterdir()}
        return found if self.accepted | folders <= set(found) else None

    def test_every_accepted_run_has_exactly_one_final_record(self):
        for _ in range(KILLS):
            self.kill_once()
        self.check()
        self.assertGreater(len(self.accepted), 0)
        self.assertGreater(len(self.verdicts), 0)
        self.assertGreater(len(self.aborted), 0)  # else no moment was one that matters

    def test_a_run_that_its_killed_manager_left_has_the_layers_it_ran_in(self):
        self.manager.start()
        other = self.manager.run_code("1")
        running = self.manager.spawn("run", "--events", "-c", "import time; print('up', flush=True); time.sleep(60)")
        run = read_event(running, "output")["run_id"]
        self.manager.signal(signal.SIGKILL)
        self.manager.wait_gone()
        self.manager.start()
        left = inspect(self.manager, run)
        self.assertEqual(left["verdict"], "aborted")
        self.assertEqual(left["layers"], {layer["name"]: layer["state"] for layer in other["layers"]})
        self.manager.stop()


if __name__ == "__main__":
    unittest.main()
