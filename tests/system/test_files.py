"""Files: into a workspace before a run, in and out of sessions, and what runs wrote; and all that must not come out."""
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
import time
import unittest

from processes import wait_for
from support import SHARED, SMALL, Manager, ManagerCase, as_user
from wire import RawClient, frame

SWAP_ATTEMPTS = int(os.environ.get("CAPSULE_RACE_ATTEMPTS", 300))  # the long form is 100000 (make races)
MANY_FILES = 6000  # more than one listing has (files.list_entries); the workspace has room for 10000
CHUNK = 256 << 10
KERNEL_TICK_S = 0.02  # two of the slowest kernel (CONFIG_HZ=100)


class FilesCase(ManagerCase):
    config = SMALL + SHARED

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="capsule-files-"))
        self.addCleanup(shutil.rmtree, self.directory)

    def local(self, name, data=b"data"):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def cp(self, *arguments, **options):
        return self.manager.capsule("cp", *arguments, **options)

    def assert_cp(self, *arguments, **options):
        done = self.cp(*arguments, **options)
        self.assertEqual(done.status, 0, done)
        return done

    def assert_refused(self, done, word):
        self.assertEqual(done.status, 125, done)
        self.assertIn(word, done.err.decode())

    def session(self, name):
        done = self.manager.capsule("session", "new", name)
        self.assertEqual(done.status, 0, done)
        self.addCleanup(self.manager.capsule, "session", "rm", name)
        return name

    def artifacts_of(self, code, *arguments):
        out = self.directory / "out"
        document = self.manager.run_code(code, "--artifacts", out, *arguments)
        saved = {str(p.relative_to(out)): p for p in out.rglob("*") if p.is_file()}
        self.assertEqual({f["path"] for f in document["artifacts"]["files"]}, set(saved), document)
        return document, saved

    def skipped(self, document):
        return {s["path"]: s["reason"] for s in document["artifacts"]["skipped"]}


class Uploads(FilesCase):
    def test_files_are_there_under_their_names_before_the_run(self):
        a = self.local("a.csv", b"1,2\n")
        b = self.local("b.py", b"B = 7\n")
        done = self.manager.capsule(
            "run", "--file", a, "--file", f"{b}=lib/b.py", "-c",
            "import sys; sys.path.insert(0, 'lib'); import b; print(b.B, open('a.csv').read(), end='')")
        self.assertEqual((done.status, done.out), (0, b"7 1,2\n"), done)

    def test_a_large_file_arrives_whole_and_belongs_to_the_program(self):
        data = os.urandom(3 * CHUNK + 5)
        path = self.local("big", data)
        path.chmod(0o755)
        document = self.manager.run_code(
            "import hashlib, os; d = open('big', 'rb').read(); open('big', 'ab').write(b'!')\n"
            "print(hashlib.sha256(d).hexdigest(), oct(os.stat('big').st_mode & 0o777), os.stat('big').st_uid == os.getuid())",
            "--file", path)
        self.assertEqual(document["stdout"], f"{hashlib.sha256(data).hexdigest()} 0o755 True\n")

    def test_a_name_that_leads_out_is_refused(self):
        path = self.local("a")
        for inside in ("/etc/x", "../x", "a/../x", ""):
            with self.subTest(inside):
                self.assertEqual(self.manager.capsule("run", "--file", f"{path}={inside}", "-c", "1").status, 2)
        with RawClient(self.manager.socket) as client:
            client.hello()
            client.send({"type": "file_put", "id": 5, "upload": 1, "path": b"../x", "data": b"no"})
            self.assertEqual(client.receive_of("error", "ack")["code"], "invalid")

    def test_an_upload_that_does_not_fit_the_workspace_is_a_rejected_run_that_says_so(self):
        session = self.session("full")
        self.manager.exec(session, "f = open('fill', 'wb')\ntry:\n  while True: f.write(bytes(1 << 20)); f.flush()\n"
                                   "except OSError: pass")
        self.assert_refused(self.cp(self.local("more", bytes(1 << 20)), f"{session}:"), "full")
        document = self.manager.exec(session, "1", "--file", self.local("again", bytes(1 << 20)))
        self.assert_verdict(document, "rejected", 125)
        self.assertIn("full", document["evidence"]["detail"])
        self.assert_verdict(self.manager.exec(session, "import os; os.remove('fill'); os.listdir()"), "ok")

    def test_too_large_an_upload_is_refused_by_name(self):
        path = self.directory / "huge"
        with open(path, "wb") as file:
            file.truncate(65 << 20)
        self.assert_refused(self.manager.capsule("run", "--file", path, "-c", "1"), "files.upload_bytes")

    def test_an_upload_is_only_its_own_connections(self):
        with RawClient(self.manager.socket) as one, RawClient(self.manager.socket) as other:
            one.hello()
            other.hello()
            one.send({"type": "file_put", "id": 1, "upload": 9, "path": b"a", "data": b"x"})
            one.receive_of("ack")
            self.assertEqual(other.execute("1", upload=9)["code"], "not_found")


class ManyFilesTest(FilesCase):
    """So many that storing them takes a while, in which the manager goes on."""

    count = 20000
    config = SMALL + f"[files]\nupload_files = {count}\n[sandbox]\nworkspace_files = {count + 100}\n" \
        "[client]\nframes_per_s = 0\n"

    def upload(self, client):
        for first in range(0, self.count, 500):
            client.send_bytes(b"".join(frame({"type": "file_put", "id": i + 1, "upload": 1, "path": b"%d" % i})
                                       for i in range(first, first + 500)))
            for _ in range(500):
                client.receive_of("ack")

    def state_of(self, other, run):
        other.send({"type": "info", "id": 1, "sections": ["runs"]})
        runs = json.loads(other.receive_of("document")["json"])["runs"]
        return next(r["state"] for r in runs if r["run_id"] == run)

    def test_a_run_that_is_cancelled_while_its_files_are_stored_never_starts_and_costs_its_session_nothing(self):
        session = self.session("many")
        self.manager.exec(session, "kept = 1")
        with self.manager.raw() as client, self.manager.raw() as other:
            client.hello()
            other.hello()
            self.upload(client)
            run = client.execute("kept = 2", session=session, mode="cell", upload=1)
            self.assertEqual(self.state_of(other, run), "leased", "the manager answers between two slices")
            other.send({"type": "cancel", "id": 2, "run_id": run})
            finished = client.receive_of("finished")
            self.assertEqual((finished["verdict"], finished["evidence"]["session_state"]), ("cancelled", "kept"), finished)
            self.assertEqual(self.state_of(other, run), "finished")
        document = self.manager.exec(session, "import os; kept, len(os.listdir()) < %d" % self.count)
        self.assertEqual(document["result"]["text/plain"], "(1, True)")

    def test_all_are_there_when_the_program_starts_and_input_that_came_early_too(self):
        with self.manager.raw() as client:
            client.hello()
            self.upload(client)
            run = client.execute("import os; print(len(os.listdir()), input())", upload=1, standard_input=True)
            client.send({"type": "input", "run_id": run, "data": b"early\n", "eof": True})
            messages = client.messages_until_finished()
        self.assertEqual(b"".join(m["data"] for m in messages if m["type"] == "output"), b"%d early\n" % self.count)

    def test_cp_of_many_is_answered_when_all_are_there(self):
        session = self.session("stored")
        with self.manager.raw() as client:
            client.hello()
            self.upload(client)
            client.send({"type": "file_store", "id": 1, "upload": 1, "session": session})
            self.assertEqual(client.receive_of("ack", "error")["type"], "ack")
        document = self.manager.exec(session, "import os; len(os.listdir())")
        self.assertEqual(document["result"]["text/plain"], str(self.count))


class Sessions(FilesCase):
    def test_files_go_in_and_come_back_and_stay(self):
        session = self.session("inout")
        data = os.urandom(2 * CHUNK + 1)
        self.assert_cp(self.local("a.bin", data), f"{session}:in/")
        self.assert_verdict(self.manager.exec(session, "open('b.bin', 'wb').write(open('in/a.bin', 'rb').read())"), "ok")
        self.assert_cp(f"{session}:b.bin", self.directory / "back")
        self.assertEqual((self.directory / "back").read_bytes(), data)
        self.assert_cp("-", f"{session}:typed", feed=b"typed")
        self.assertEqual(self.assert_cp(f"{session}:typed", "-").out, b"typed")

    def test_directories_go_in_and_come_back(self):
        session = self.session("trees")
        self.local("tree/a", b"1")
        self.local("tree/b/c", b"22")
        (self.directory / "tree" / "link").symlink_to("/etc/passwd")
        self.assert_cp("-r", self.directory / "tree", f"{session}:t")
        self.assert_cp("-r", f"{session}:t", self.directory / "back")
        back = self.directory / "back"
        self.assertEqual({str(p.relative_to(back)): p.read_bytes() for p in back.rglob("*") if p.is_file()},
                         {"a": b"1", "b/c": b"22"})

    def test_a_busy_session_takes_and_gives_files(self):
        session = self.session("busy")
        child = self.manager.spawn("exec", session, "-c", "import time, os\nopen('here', 'w').write('yes')\n"
                                   "while not os.path.exists('go'): time.sleep(0.01)\nprint(open('go').read())")
        wait_for(lambda: self.cp(f"{session}:here", "-").out == b"yes", 20, "the running program's file")
        self.assert_cp(self.local("go", b"went"), f"{session}:")
        self.assertEqual(child.communicate(timeout=20)[0], b"went\n")

    def test_a_session_that_is_gone_or_of_nobody_is_not_found(self):
        self.assert_refused(self.cp(self.local("a"), "nosuch:"), "nosuch")
        self.assert_refused(self.cp("nosuch:a", "-"), "nosuch")

    def test_a_missing_file_is_not_found(self):
        self.assert_refused(self.cp(f"{self.session('empty')}:a", "-"), "No such file")

    def test_the_artifacts_of_a_cell_are_what_changed_since_it_began(self):
        session = self.session("cells")
        self.manager.exec(session, "open('old', 'w').write('1'); open('both', 'w').write('1')")
        time.sleep(KERNEL_TICK_S)  # what changed within one has one time
        document = self.manager.exec(session, "open('new', 'w').write('1'); open('both', 'a').write('2')",
                                     "--artifacts", self.directory / "out", "--file", self.local("given"))
        self.assertEqual({f["path"] for f in document["artifacts"]["files"]}, {"new", "both"})

    @unittest.skipUnless(os.geteuid() == 0, "needs root to become another user")
    def test_another_users_session_does_not_exist(self):
        session = self.session("mine")
        self.manager.exec(session, "open('a', 'w').write('secret')")
        self.assert_refused(self.manager.capsule("cp", f"{session}:a", "-", **as_user(1000)), "no session")


class Artifacts(FilesCase):
    def test_what_a_run_wrote_is_saved_and_listed(self):
        given = self.local("given", b"given")
        changed = self.local("changed", b"12345")
        document, saved = self.artifacts_of(
            "import os\nos.makedirs('a/b')\nopen('a/b/c', 'wb').write(bytes(300000))\nopen('changed', 'w').write('54321')",
            "--file", given, "--file", changed)
        self.assertEqual({n: p.stat().st_size for n, p in saved.items()}, {"a/b/c": 300000, "changed": 5})
        self.assertEqual(saved["changed"].read_bytes(), b"54321")

    def test_they_are_there_whatever_the_verdict(self):
        document, saved = self.artifacts_of("import os\nopen('a', 'w').write('1')\nos.kill(os.getpid(), 11)")
        self.assert_verdict(document, "crashed")
        self.assertEqual(set(saved), {"a"})

    def test_links_pipes_sockets_and_second_names_are_skipped_with_the_reason(self):
        document, saved = self.artifacts_of(
            "import os, socket\nopen('big', 'wb').write(bytes(1000000))\nopen('one', 'w').write('1')\n"
            "for i in range(100): os.symlink('big', f'l{i}')\n"
            "os.symlink('/etc/passwd', 'passwd'); os.symlink('/proc/self/root', 'root'); os.link('one', 'two')\n"
            "os.mkfifo('fifo'); s = socket.socket(socket.AF_UNIX); s.bind('sock')")
        self.assertEqual(set(saved), {"big"})
        reasons = self.skipped(document)
        self.assertEqual(reasons["passwd"], "a symbolic link")
        self.assertEqual(reasons["root"], "a symbolic link")
        self.assertEqual(sum(name.startswith("l") for name in reasons), 100)
        self.assertEqual(reasons["fifo"], "a named pipe")
        self.assertEqual(reasons["sock"], "a socket")
        for name in ("one", "two"):
            self.assertIn("several names", reasons[name])

    def test_a_sparse_file_is_refused_before_it_is_read(self):
        document, saved = self.artifacts_of("f = open('sparse', 'wb')\nfor bits in range(50, 30, -1):\n"
                                            "  try: f.truncate(1 << bits); break\n  except OSError: pass")
        self.assertEqual(saved, {})
        self.assertIn("larger than", self.skipped(document)["sparse"])

    def test_a_directory_without_permissions_is_entered_by_nobody(self):
        document, saved = self.artifacts_of("import os\nos.mkdir('d')\nopen('d/a', 'w').write('1')\nos.chmod('d', 0)\n"
                                            "open('b', 'w').write('1'); os.chmod('b', 0)")
        self.assertEqual(saved, {})
        self.assertEqual(self.skipped(document)["d"], "a directory that cannot be read")
        self.assertIn("b", self.skipped(document))

    def test_a_tree_of_a_thousand_levels_is_cut_and_cleaned_up(self):
        document, saved = self.artifacts_of("import os\nopen('top', 'w').write('1')\nfor i in range(1000):\n"
                                            "  os.mkdir('d'); os.chdir('d')\nopen('x', 'w').write('1')")
        self.assertEqual(set(saved), {"top"})
        self.assertEqual(list(self.skipped(document).values()), ["a directory too deep"])

    def test_names_are_kept_to_the_byte_and_shown_escaped(self):
        code = ("import os\nfor n in (b'new\\nline', b'\\x1b[31mred', b'half\\xc3', b'n' * 255):\n"
                "  open(n, 'w').write('1')\nos.symlink('x', b'\\x1b[2Jbad')")
        out = self.directory / "out"
        done = self.manager.capsule("run", "--artifacts", out, "-c", code)
        self.assertEqual(done.status, 0, done)
        self.assertEqual(set(os.listdir(os.fsencode(out))), {b"new\nline", b"\x1b[31mred", b"half\xc3", b"n" * 255})
        self.assertNotIn(b"\x1b", done.err)

    def test_more_files_than_a_listing_has_are_said_to_be_incomplete(self):
        document, saved = self.artifacts_of(f"for i in range({MANY_FILES}): open(str(i), 'w').close()")
        self.assertEqual(len(saved), 4000)
        self.assertEqual(document["artifacts"]["incomplete"], "more than 4000 files")

    def test_links_in_the_users_own_directory_are_not_followed(self):
        out = self.directory / "out"
        out.mkdir()
        target = self.local("precious", b"precious")
        (out / "a").symlink_to(target)
        (out / "d").symlink_to(self.directory)
        document = self.manager.run_code("import os\nopen('a', 'w').write('new')\nos.mkdir('d')\n"
                                         "open('d/precious', 'w').write('new')", "--artifacts", out)
        self.assertEqual(target.read_bytes(), b"precious")
        self.assertFalse((out / "a").is_symlink())
        self.assertIn("d/precious", self.skipped(document))

    def test_a_runs_files_are_gone_for_others_and_after_done(self):
        with RawClient(self.manager.socket) as client, RawClient(self.manager.socket) as other:
            client.hello()
            other.hello()
            run = client.execute("open('a', 'w').write('1')", artifacts=True)
            client.receive_of("finished")
            get = {"type": "file_get", "id": 3, "run_id": run, "path": b"a"}
            other.send(get)
            self.assertEqual(other.receive_of("error", "file_data")["code"], "not_found")
            client.send(get)
            self.assertEqual(client.receive_of("error", "file_data")["data"], b"1")
            client.send({"type": "file_done", "id": 4, "run_id": run})
            client.receive_of("ack")
            client.send(get)
            self.assertEqual(client.receive_of("error", "file_data")["code"], "not_found")


class Races(FilesCase):
    config = SMALL + "[client]\nframes_per_s = 0\nbytes_per_s = 0\n"  # the attempts are what takes time

    SWAP = ("import os, ctypes, threading\nlibc = ctypes.CDLL(None)\nos.makedirs('in')\n"
            "open('a', 'w').write('inside'); os.symlink('/etc/passwd', 'b')\nopen('in/passwd', 'w').write('inside')\n"
            "os.symlink('/etc', 'etc')\nopen('ready', 'w').close()\nN = 0\nwhile not os.path.exists('stop'):\n"
            "  libc.renameat2(-100, b'a', -100, b'b', 2); libc.renameat2(-100, b'in', -100, b'etc', 2); N += 1\nprint(N)")

    def test_a_program_that_swaps_names_gets_nothing_of_the_host(self):
        session = self.session("swaps")
        child = self.manager.spawn("exec", session, "-c", self.SWAP)
        wait_for(lambda: self.cp(f"{session}:ready", "-").status == 0, 20, "the swapping program")
        before = pathlib.Path("/etc/passwd").read_bytes()
        read = set()
        with RawClient(self.manager.socket) as client:
            client.hello()
            for attempt in range(SWAP_ATTEMPTS):
                for path in (b"a", b"in/passwd"):
                    client.send({"type": "file_get", "id": 1, "session": session, "path": path})
                    answer = client.receive_of("file_data", "error")
                    read.add(answer.get("data", b""))
                client.send({"type": "file_put", "id": 2, "upload": 1, "path": b"in/planted", "data": b"inside"})
                client.receive_of("ack", "error")
                client.send({"type": "file_store", "id": 3, "upload": 1, "session": session})
                client.receive_of("ack", "error")
        self.assertLessEqual(read, {b"", b"inside"})
        self.assertIn(b"inside", read)
        self.assertEqual(pathlib.Path("/etc/passwd").read_bytes(), before)
        self.assertFalse(os.path.exists("/etc/planted"))
        self.assert_cp(self.local("stop"), f"{session}:")
        self.assertGreater(int(child.communicate(timeout=60)[0]), 0)


class NoMounts(FilesCase):
    @classmethod
    def setUpClass(cls):
        cls.manager = Manager(SMALL + '[sandbox]\nnamespaces = "off"\nfloor = "degraded"\n')
        cls.addClassCleanup(cls.manager.kill)
        os.chmod(cls.manager.directory, 0o711)  # as root the programs have a user of their own, who has to get there
        cls.manager.start()

    @classmethod
    def tearDownClass(cls):
        cls.manager.stop()

    def test_files_work_in_a_directory_of_the_managers(self):
        _, saved = self.artifacts_of("open('b', 'w').write(open('a').read())", "--file", self.local("a", b"x"))
        self.assertEqual({n: p.read_bytes() for n, p in saved.items()}, {"b": b"x"})
        session = self.session("plain")
        self.assert_cp(self.local("c", b"c"), f"{session}:")
        self.assertEqual(self.manager.exec(session, "print(open('c').read())")["stdout"], "c\n")
