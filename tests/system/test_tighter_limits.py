"""Processes, open files and the workspace of runs and sessions that ask for less than their profile."""
import json
import os
import signal
import unittest

from support import SMALL, ManagerCase
from test_sandbox_tiers import Lacking

# How many threads the program can have besides its own, at most `MOST`.
THREADS = ("import threading\n"
           "stop, n = threading.Event(), 0\n"
           "try:\n"
           "    while n < 40:\n"
           "        threading.Thread(target=stop.wait).start()\n"
           "        n += 1\n"
           "except RuntimeError:\n"
           "    pass\n"
           "stop.set()\n"
           "print(n)\n")
CHILDREN = ("import os, signal\n"
            "children = []\n"
            "try:\n"
            "    while len(children) < 40:\n"
            "        child = os.fork()\n"
            "        if child == 0:\n"
            "            signal.pause()\n"
            "        children.append(child)\n"
            "except BlockingIOError:\n"
            "    pass\n"
            "for child in children:\n"
            "    os.kill(child, 9); os.waitpid(child, 0)\n"
            "print(len(children))\n")
OPEN = ("import errno, os, resource\n"
        "kept = []\n"
        "try:\n"
        "    while len(kept) < 500: kept.append(os.open('/dev/null', os.O_RDONLY))\n"
        "except OSError as error:\n"
        "    print(errno.errorcode[error.errno], max(kept) + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
        "for one in kept: os.close(one)\n")
SIZE = "import os\nplace = os.statvfs('.')\nprint(place.f_blocks * place.f_frsize, place.f_files)\n"
MIB = 1 << 20


def write(mib):
    return f"with open('big', 'wb') as file: file.write(b'x' * ({mib} << 20))"


class TighterCase:
    """The same with and without control groups."""

    def new_session(self, *options):
        done = self.manager.capsule("session", "new", *options)
        self.assertEqual(done.status, 0, done)
        session = done.out.decode().strip()
        self.addCleanup(self.manager.capsule, "session", "rm", session)
        return session

    @staticmethod
    def so_many(count):
        """In a session with snapshots. One that has just made room may be gone before it is known to be: until then its
        place is the program's."""
        return str(count), str(count + 1)

    def printed(self, document):
        self.assert_verdict(document, "ok", 0)
        return document["stdout"].strip()

    def test_a_run_has_no_more_processes_and_threads_than_it_asked_for(self):
        self.assertEqual(self.printed(self.manager.run_code(THREADS, "--processes", "5")), "4")
        self.assertEqual(self.printed(self.manager.run_code(CHILDREN, "--processes", "3")), "2")
        self.assertEqual(self.printed(self.manager.run_code(CHILDREN, "--processes", "1")), "0")
        self.assertEqual(self.printed(self.manager.run_code(THREADS)), "40")

    def test_processes_of_a_session_and_fewer_of_one_of_its_runs(self):
        session = self.new_session("--processes", "6", "--rollback", "always")
        for _ in range(3):  # with a snapshot more each time
            self.assertIn(self.printed(self.manager.exec(session, THREADS)), self.so_many(5))
            self.assertIn(self.printed(self.manager.exec(session, CHILDREN, "--processes", "3")), self.so_many(2))
        self.assertIn(self.printed(self.manager.exec(session, CHILDREN)), self.so_many(5))
        document = self.manager.exec(session, "import os; os._exit(3)", "--processes", "2")
        self.assertEqual(document["evidence"]["session_state"], "rolled_back")
        self.assertIn(self.printed(self.manager.exec(session, THREADS)), self.so_many(5))

    def test_evidence_names_the_limit_of_open_files_that_a_program_came_up_against(self):
        fill = "import os\nkept = []\nwhile True: kept.append(os.open('/dev/null', os.O_RDONLY))"
        document = self.manager.run_code(fill)
        self.assertEqual((document["error"]["name"], document["evidence"]["limit"]), ("OSError", "open_files=256"), document)
        document = self.manager.run_code(fill, "--open-files", "20")
        self.assertEqual((document["error"]["name"], document["evidence"]["limit"]), ("OSError", "open_files=20"), document)
        document = self.manager.run_code("import os\nkept = [os.open('/dev/null', os.O_RDONLY) for _ in range(5)]\n1/0")
        self.assertEqual(document["evidence"]["limit"], "", document)

    def test_a_fork_has_the_limits_of_its_session_or_less(self):
        def fork(source, *options):
            done = self.manager.capsule("session", "fork", source, *options)
            if done.status == 0:
                self.addCleanup(self.manager.capsule, "session", "rm", done.out.decode().strip())
            return done

        session = self.new_session("--processes", "9", "--timeout", "50")
        self.manager.exec(session, "heirloom = 7")
        as_it_is, less = fork(session), fork(session, "--processes", "4", "--open-files", "20", "--memory", "128M")
        for made in (as_it_is, less):
            self.assertEqual(made.status, 0, made)
        as_it_is, less = as_it_is.out.decode().strip(), less.out.decode().strip()
        self.assertIn(self.printed(self.manager.exec(less, THREADS)), self.so_many(3))
        self.assertEqual(self.printed(self.manager.exec(less, OPEN)), "EMFILE 20 20")
        self.assertEqual(self.printed(self.manager.exec(as_it_is, OPEN)), "EMFILE 256 256")
        fill = self.manager.exec(less, "import mmap\nm = mmap.mmap(-1, 1 << 28)\nfor i in range(0, 1 << 28, 4096): m[i] = 1")
        self.assertEqual((fill["verdict"], fill["evidence"]["limit"]), ("out_of_memory", f"memory_bytes={128 * MIB}"), fill)
        self.assertEqual(self.printed(self.manager.exec(less, "print(heirloom)")), "7")
        for source, option, value in ((session, "--processes", "10"), (less, "--processes", "5"), (less, "--memory", "129M"),
                                      (less, "--timeout", "51")):
            more = fork(source, option, value)
            self.assertEqual((more.status, b"its session's limit" in more.err), (125, True), more)

    def test_a_session_without_limits_of_its_own_has_its_profiles_again_after_a_tighter_run(self):
        session = self.new_session()
        self.assertEqual(self.printed(self.manager.exec(session, THREADS, "--processes", "3")), "2")
        self.assertEqual(self.printed(self.manager.exec(session, THREADS)), "40")
        self.assertEqual(self.printed(self.manager.exec(session, OPEN, "--open-files", "20")), "EMFILE 20 20")
        self.assertEqual(self.printed(self.manager.exec(session, OPEN)), "EMFILE 256 256")

    def test_a_run_opens_no_more_files_than_it_asked_for(self):
        self.assertEqual(self.printed(self.manager.run_code(OPEN, "--open-files", "20")), "EMFILE 20 20")
        hard = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[1])"
        self.assertEqual(self.printed(self.manager.run_code(hard, "--open-files", "20")), "20")
        self.assertEqual(self.printed(self.manager.run_code("print(len(input()))", "--open-files", "20", feed=b"four\n")), "4")

    def test_open_files_of_a_session_and_fewer_of_one_of_its_runs(self):
        session = self.new_session("--open-files", "60", "--rollback", "always")
        for _ in range(2):
            self.assertEqual(self.printed(self.manager.exec(session, OPEN)), "EMFILE 60 60")
            self.assertEqual(self.printed(self.manager.exec(session, OPEN, "--open-files", "20")), "EMFILE 20 20")
        raise_it = ("import resource\n"
                    "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
                    "resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))\n")
        # What is kept for Capsule's own descriptors is all that a program can have more.
        self.assertEqual(self.printed(self.manager.exec(session, raise_it + OPEN)), "EMFILE 76 76")
        self.manager.capsule("session", "reset", session)
        self.assertEqual(self.printed(self.manager.exec(session, OPEN)), "EMFILE 60 60")
        [fork] = self.manager.capsule("session", "fork", session).out.decode().split()
        self.addCleanup(self.manager.capsule, "session", "rm", fork)
        self.assertEqual(self.printed(self.manager.exec(fork, OPEN)), "EMFILE 60 60")

    def test_a_run_finds_the_workspace_that_it_asked_for(self):
        self.assertEqual(self.printed(self.manager.run_code(SIZE, "--workspace", "2M", "--workspace-files", "20")),
                         f"{2 * MIB} 20")
        document = self.manager.run_code(write(3), "--workspace", "2M")
        self.assert_verdict(document, "exception", 1)
        self.assertIn("No space left", document["error"]["value"])
        self.assertEqual(document["evidence"]["limit"], f"workspace_bytes={2 * MIB}")
        document = self.manager.run_code("for n in range(30): open(str(n), 'w')", "--workspace-files", "20")
        self.assertIn("No space left", document["error"]["value"])
        self.assertEqual(document["evidence"]["limit"], "workspace_files=20")
        self.assertEqual(self.manager.run_code("1/0", "--workspace", "2M")["evidence"]["limit"], "")
        self.assertEqual(self.printed(self.manager.run_code(SIZE)), f"{256 * MIB} 10000")

    def test_uploaded_files_count(self):
        name = self.manager.directory + "/upload"
        with open(name, "wb") as file:
            file.write(b"x" * (3 * MIB))
        document = self.manager.run_code("1", "--workspace", "2M", "--file", f"{name}=data")
        self.assert_verdict(document, "rejected", 125)
        self.assertIn("its files could not be put in place", document["evidence"]["detail"])
        self.assert_verdict(self.manager.run_code("1", "--workspace", "4M", "--file", f"{name}=data"), "ok", 0)

    def test_the_workspace_of_a_session_and_less_of_one_of_its_runs(self):
        session = self.new_session("--workspace", "4M", "--workspace-files", "50")
        self.assertEqual(self.printed(self.manager.exec(session, SIZE)), f"{4 * MIB} 50")
        self.assertEqual(self.printed(self.manager.exec(session, SIZE, "--workspace", "2M")), f"{2 * MIB} 50")
        self.assertEqual(self.printed(self.manager.exec(session, write(3) + "\nprint('kept')")), "kept")
        document = self.manager.exec(session, "print('never')", "--workspace", "2M")
        self.assert_verdict(document, "rejected", 125)
        self.assertIn("holds more than that already", document["evidence"]["detail"])
        self.assertEqual(document["stdout"], "")
        self.assertEqual(self.printed(self.manager.exec(session, SIZE, "--workspace-files", "10")), f"{4 * MIB} 10")
        self.assertEqual(self.printed(self.manager.exec(session, SIZE)), f"{4 * MIB} 50")

    def test_files_are_copied_into_a_session_as_far_as_its_own_limit_goes(self):
        session = self.new_session("--workspace", "4M")
        name = self.manager.directory + "/three"
        with open(name, "wb") as file:
            file.write(b"x" * (3 * MIB))
        self.assertEqual(self.printed(self.manager.exec(session, SIZE, "--workspace", "1M")), f"{MIB} 10000")
        self.assertEqual(self.manager.capsule("cp", name, f"{session}:first").status, 0)
        self.assertNotEqual(self.manager.capsule("cp", name, f"{session}:second").status, 0)

    def test_whatever_becomes_of_its_worker_a_session_keeps_its_workspace_limit(self):
        session = self.new_session("--workspace", "4M", "--rollback", "always")
        self.manager.exec(session, "x = 1")
        document = self.manager.exec(session, "import os; os.kill(os.getpid(), 11)", "--workspace", "1M")
        self.assertEqual(document["evidence"]["session_state"], "rolled_back")
        self.assertEqual(self.printed(self.manager.exec(session, SIZE)), f"{4 * MIB} 10000")
        self.manager.capsule("session", "undo", session)
        self.assertEqual(self.printed(self.manager.exec(session, SIZE)), f"{4 * MIB} 10000")
        self.manager.capsule("session", "reset", session)
        self.assertEqual(self.printed(self.manager.exec(session, SIZE)), f"{4 * MIB} 10000")

    def test_forks_and_forks_of_forks_have_the_limits_of_their_original(self):
        session = self.new_session("--workspace", "4M", "--workspace-files", "50", "--processes", "5")
        self.manager.exec(session, write(1))
        for _ in range(2):
            [fork] = self.manager.capsule("session", "fork", session).out.decode().split()
            self.addCleanup(self.manager.capsule, "session", "rm", fork)
            self.assertEqual(self.printed(self.manager.exec(fork, SIZE)), f"{4 * MIB} 50")
            self.assertEqual(self.printed(self.manager.exec(fork, SIZE, "--workspace", "2M")), f"{2 * MIB} 50")
            self.assertEqual(self.printed(self.manager.exec(fork, SIZE)), f"{4 * MIB} 50")
            self.assertEqual(self.printed(self.manager.exec(fork, CHILDREN, "--processes", "2")), "1")
            self.assertEqual(self.printed(self.manager.exec(fork, "import os; print(os.stat('big').st_size)")), str(MIB))
            session = fork

    def test_nobody_may_ask_for_more_than_the_profile_allows_or_the_session_has(self):
        session = self.new_session("--processes", "10", "--open-files", "40", "--workspace", "8M",
                                   "--workspace-files", "100")
        for option, above_profile, above_session, knob in (
                ("--processes", "65", "11", "limits.processes"), ("--open-files", "257", "41", "limits.open_files"),
                ("--workspace", "257M", "9M", "sandbox.workspace_bytes"),
                ("--workspace-files", "10001", "101", "sandbox.workspace_files")):
            with self.subTest(option):
                document = self.manager.run_code("1", option, above_profile)
                self.assert_verdict(document, "rejected", 125)
                self.assertIn(knob, document["evidence"]["detail"])
                done = self.manager.capsule("session", "new", option, above_profile)
                self.assertNotEqual(done.status, 0)
                self.assertIn(knob, done.err.decode())
                document = self.manager.exec(session, "1", option, above_session)
                self.assert_verdict(document, "rejected", 125)
                self.assertIn("its session's limit", document["evidence"]["detail"])

    def test_info_and_inspect_show_the_limits_in_force(self):
        session = self.new_session("--processes", "10", "--workspace", "8M")
        [row] = [row for row in self.manager.info("sessions")["sessions"] if row["session"] == session]
        limits = row["limits"]
        self.assertEqual((limits["processes"], limits["open_files"], limits["workspace_bytes"], limits["workspace_files"]),
                         (10, 256, 8 * MIB, 10000))
        document = self.manager.exec(session, "1", "--processes", "4", "--open-files", "30", "--workspace-files", "50")
        done = self.manager.capsule("inspect", document["run_id"], "--json")
        limits = json.loads(done.out)["limits"]
        self.assertEqual((limits["processes"], limits["open_files"], limits["workspace_bytes"], limits["workspace_files"]),
                         (4, 30, 8 * MIB, 50))

    def test_a_run_that_is_cancelled_while_its_workspace_is_made_smaller_harms_nobody(self):
        session = self.new_session()
        with self.manager.raw() as client:
            client.hello()
            for _ in range(10):
                run_id = client.execute("1", session=session, workspace_bytes=MIB)
                self.assertIsInstance(run_id, str)
                client.send({"type": "cancel", "id": 5, "run_id": run_id})
                messages = {}
                while not {"finished", "answer"} <= messages.keys():
                    message = client.receive()
                    messages["answer" if message["type"] in ("ack", "error") else message["type"]] = message
                self.assertIn(messages["finished"]["verdict"], ("ok", "cancelled"))
        self.assertEqual(self.printed(self.manager.exec(session, SIZE)), f"{256 * MIB} 10000")


    def test_a_zygote_that_does_not_answer_costs_no_session(self):
        session = self.new_session("--rollback", "always")
        self.manager.exec(session, "x = 1")
        zygote = self.manager.pool()["zygote_pid"]
        with self.manager.raw() as client:
            client.hello()
            run_id = client.execute("import os; input(); os._exit(3)", session=session, standard_input=True,
                                    workspace_bytes=MIB)
            client.receive_of("started")
            os.kill(zygote, signal.SIGSTOP)
            client.send({"type": "input", "run_id": run_id, "data": b"x\n", "eof": True})
            finished = client.messages_until_finished()[-1]
        self.assertEqual(finished["evidence"]["session_state"], "rolled_back")
        os.kill(zygote, signal.SIGCONT)
        self.assertEqual(self.printed(self.manager.exec(session, "print(x)")), "1")
        self.assertEqual(self.printed(self.manager.exec(session, SIZE)), f"{256 * MIB} 10000")


class WithGroupsTest(TighterCase, ManagerCase):
    config = SMALL

    def setUp(self):
        layers = self.manager.run_code("1")["layers"]
        found = next(layer for layer in layers if layer["name"] == "cgroup")
        if found["state"] == "off" or "pids" not in found["detail"]:
            self.skipTest("processes cannot be counted by control groups here: " + found["detail"])

    def test_the_verdict_names_the_limit_of_processes_that_a_program_came_up_against(self):
        document = self.manager.run_code("import os\nfor _ in range(9): os.fork() or os._exit(0)", "--processes", "3")
        self.assert_verdict(document, "exception", 1)
        self.assertEqual((document["error"]["name"], document["evidence"]["limit"]), ("BlockingIOError", "processes=3"))
        session = self.new_session()
        self.assertEqual(self.manager.exec(session, "os.fork()", "--processes", "1")["evidence"]["limit"], "")
        document = self.manager.exec(session, "import os; os.fork()", "--processes", "1")
        self.assertEqual(document["evidence"]["limit"], "processes=1")
        self.assertEqual(self.manager.exec(session, "1/0", "--processes", "1")["evidence"]["limit"], "")


class WithoutGroupsTest(TighterCase, ManagerCase):
    config = SMALL + "[sandbox]\ncgroup = \"off\"\n"

    @staticmethod
    def so_many(count):
        """A snapshot that has just made room for the next one may not be gone yet, and counts as the program's."""
        return str(count - 1), str(count)


class WhereItCannotBeHadTest(unittest.TestCase):
    def start(self, what, *arguments):
        manager = Lacking(what, *arguments)
        self.addCleanup(manager.kill)
        return manager.start()

    def assert_refused(self, manager, *options):
        document = manager.run_code("print('never')", *options)
        self.assertEqual((document["verdict"], document["stdout"]), ("rejected", ""), document)
        return document["evidence"]["detail"]

    def test_without_mounts_a_workspace_limit_is_refused_and_the_others_hold(self):
        manager = self.start("mount")
        self.assertIn("no workspace of their own", self.assert_refused(manager, "--workspace", "2M"))
        self.assertEqual(manager.run_code(OPEN, "--open-files", "20")["stdout"], "EMFILE 20 20\n")
        self.assertEqual(manager.run_code(CHILDREN, "--processes", "3")["stdout"], "2\n")
        done = manager.capsule("session", "new", "--workspace", "2M")
        self.assertNotEqual(done.status, 0)
        self.assertIn("no workspace of their own", done.err.decode())
        self.assertEqual(manager.run_code("print(1)")["stdout"], "1\n")

    def test_without_namespaces_and_control_groups_a_limit_of_processes_is_refused(self):
        manager = Lacking("userns", "--allow-degraded")
        manager.config_file.write_text(SMALL + "[sandbox]\ncgroup = \"off\"\n")
        self.addCleanup(manager.kill)
        manager.start()
        self.assertIn("processes cannot be limited here", self.assert_refused(manager, "--processes", "5"))
        self.assertNotEqual(manager.capsule("session", "new", "--processes", "5").status, 0)
        self.assertEqual(manager.run_code(OPEN, "--open-files", "20")["stdout"], "EMFILE 20 20\n")


if __name__ == "__main__":
    unittest.main()
