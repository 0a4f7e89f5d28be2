"""Forks of live sessions: the same objects, and from then on nothing in common."""
import contextlib
import json
import os
import pathlib
import signal

import processes
from branches import BranchClient, Refused
from processes import wait_for
from support import SMALL, ManagerCase

# What no pickler takes, and what would show that the copy is not one.
STATE = """
import itertools, random
def numbers():
    for n in itertools.count(): yield n
stream = numbers(); next(stream); next(stream)
kept = [1, 2, 3]; also = kept
add = (lambda by: lambda x: x + by)(40)
handle = open('notes.txt', 'w+'); handle.write('one\\n'); handle.flush()
opened = open('notes.txt'); opened.read(2)
"""


def keeper_of(worker):
    return int(pathlib.Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[1])


class ForkCase(ManagerCase):
    config = SMALL + "[run]\ngrace_s = 0.2\n[client]\nmax_crashes_per_minute_per_uid = 0\n"

    def setUp(self):
        super().setUp()
        self.client = BranchClient(self.manager.socket)
        self.addCleanup(self.client.close)

    def new(self, **fields):
        session = self.client.new(**fields)
        self.addCleanup(self.remove, session)
        return session

    def remove(self, session):
        try:
            self.client.session("rm", session)
        except Refused:
            pass  # the test has removed it

    def fork(self, source, count=1, **fields):
        forks = self.client.session("fork", source=source, count=count, **fields)["forks"]
        for fork in forks:
            self.addCleanup(self.remove, fork)
        return forks

    def value(self, session, expression, **fields):
        outcome = self.client.run(session, expression, **fields)
        self.assertEqual(outcome.verdict, "ok", outcome)
        return outcome.result

    def sweep_while_copying(self, rounds):
        """Its original crashes, and is swept, at the moment when a fork makes a copy of itself."""
        source = self.new(rollback="always")
        self.client.run(source, "x = 1")
        fork, = self.fork(source, rollback="off")
        for _ in range(rounds):
            crash = self.client.post_run(source, "import os; os._exit(3)")
            copies = [self.client.post_session("checkpoint", fork, checkpoint=f"c{i}") for i in range(4)]
            answers = self.client.answers([crash, *copies])
            self.assertEqual([answers[number]["type"] for number in copies], ["document"] * 4, answers)
            for i in range(4):
                self.client.session("checkpoint_rm", fork, checkpoint=f"c{i}")

    def sessions(self):
        return {row["session"]: row for row in self.client.session("ls")["sessions"]}


class Fork(ForkCase):
    def test_a_crash_of_the_original_ends_no_copy_that_a_fork_makes_just_then(self):
        self.sweep_while_copying(40)

    def test_a_fork_has_all_that_the_original_has(self):
        source = self.new()
        self.client.run(source, STATE)
        for fork in self.fork(source, 2):
            self.assertEqual(self.value(fork, "next(stream), add(2), kept is also, kept, opened.read()"),
                             "(2, 42, True, [1, 2, 3], 'e\\n')")

    def test_after_a_fork_nothing_is_common(self):
        source = self.new()
        self.client.run(source, STATE)
        one, two = self.fork(source, 2)
        self.client.run(one, "kept.append(4); next(stream); open('notes.txt', 'a').write('of one\\n')\n"
                             "open('/tmp/of-one', 'w').close()")
        self.client.run(source, "kept.clear(); handle.write('of the source\\n'); handle.flush()")
        self.assertEqual(self.value(two, "kept, open('notes.txt').read(), next(stream)"), "([1, 2, 3], 'one\\n', 2)")
        self.assertEqual(self.value(one, "kept, open('notes.txt').read()"), "([1, 2, 3, 4], 'one\\nof one\\n')")
        self.assertEqual(self.value(source, "kept, open('notes.txt').read(), next(stream)"),
                         "([], 'one\\nof the source\\n', 2)")
        self.assertEqual(self.value(two, "__import__('os').path.exists('/tmp/of-one')"), "False")

    def test_files_of_every_kind_are_copied_and_what_cannot_be_is_told(self):
        source = self.new()
        self.client.run(source, "import os, socket, tempfile\nos.makedirs('a/b'); open('a/b/c', 'w').write('deep')\n"
                                "os.symlink('a/b/c', 'link'); os.chmod('a/b/c', 0o640); os.mkfifo('pipe')\n"
                                "nameless = tempfile.TemporaryFile(); nameless.write(b'gone'); nameless.flush()\n"
                                "sparse = open('sparse', 'wb'); sparse.truncate(1 << 24); sparse.close()\n"
                                "left, right = socket.socketpair()")
        answer = self.client.session("fork", source=source)
        fork = answer["forks"][0]
        self.addCleanup(self.remove, fork)
        self.assertEqual(self.value(fork, "open('link').read(), oct(os.stat('a/b/c').st_mode), os.path.islink('link'), "
                                          "os.stat('sparse').st_size, os.stat('sparse').st_blocks"),
                         "('deep', '0o100640', True, 16777216, 0)")
        self.client.run(source, "nameless.write(b' on'); nameless.flush()")
        self.assertEqual(self.value(fork, "nameless.seek(0), nameless.read()"), "(0, b'gone')")
        self.assertIn("pipe", answer["not_captured"])
        self.assertTrue(any("socket" in what for what in answer["not_captured"]), answer)

    def test_random_streams_differ_from_fork_to_fork(self):
        source = self.new()
        self.client.run(source, "import random, uuid, os; random.seed(7)")
        draws = [self.value(s, "random.random(), uuid.uuid4().hex, os.urandom(8)") for s in [source, *self.fork(source, 3)]]
        self.assertEqual(len(set(draws)), 4, draws)

    def test_each_fork_has_verdicts_limits_and_snapshots_of_its_own(self):
        source = self.new(rollback="always")
        self.client.run(source, "x = 1")
        one, two = self.fork(source, 2)
        self.client.run(one, "x = 2")
        crashed = self.client.run(one, "import ctypes; ctypes.string_at(0)")
        self.assertEqual((crashed.verdict, crashed.state), ("crashed", "rolled_back"), crashed)
        killed = self.client.run(two, "import os; os.kill(os.getpid(), 9)")
        self.assertEqual((killed.verdict, killed.state), ("crashed", "rolled_back"), killed)
        by_other = self.client.run(two, "import subprocess\nsubprocess.run(['sh', '-c', f'kill -9 {os.getpid()}'])")
        self.assertEqual(by_other.verdict, "exception", by_other)  # os is not there any more: rolled back to before it
        self.assertEqual([self.value(s, "x") for s in (source, one, two)], ["1", "2", "1"])
        self.client.session("undo", one, count=2)  # what was just looked at, and x = 2
        self.assertEqual(self.value(one, "x"), "1")
        stuck = self.client.run(one, "while True:\n  try:\n    while True: pass\n  except BaseException: pass",
                                timeout_ms=300)
        self.assertEqual((stuck.verdict, stuck.state), ("timeout", "rolled_back"), stuck)
        self.assertEqual([self.value(s, "x") for s in (source, one, two)], ["1", "1", "1"])

    def test_a_fork_can_be_forked_and_outlives_its_original(self):
        source = self.new()
        self.client.run(source, "line = ['source']")
        child, = self.fork(source)
        self.client.run(child, "line.append('child')")
        grandchild, = self.fork(child)
        self.client.run(grandchild, "line.append('grandchild')")
        self.client.session("rm", source)
        self.client.session("rm", child)
        self.assertEqual(self.value(grandchild, "line"), "['source', 'child', 'grandchild']")
        crashed = self.client.run(grandchild, "__import__('ctypes').string_at(0)")
        self.assertEqual(crashed.verdict, "crashed", crashed)
        self.assertEqual(self.value(grandchild, "1 + 1"), "2")

    def test_the_end_of_the_last_fork_ends_everything(self):
        source = self.new()
        forks = self.fork(source, 3)
        pids = [self.sessions()[session]["worker_pid"] for session in (source, *forks)]
        keepers = [keeper_of(pid) for pid in pids]
        self.assertEqual(len(set(keepers)), 1)  # the outermost, which is the parent of all
        for session in (source, *forks):
            self.client.session("rm", session)
        wait_for(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in (*pids, *keepers)), 10,
                 "workers and keepers of removed sessions are gone")

    def test_a_session_with_threads_is_not_forked_and_says_why(self):
        source = self.new()
        self.client.run(source, "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True, "
                                "name='sleeper').start()")
        with self.assertRaisesRegex(Refused, "sleeper"):
            self.fork(source)
        self.assertEqual(self.value(source, "1 + 1"), "2")

    def test_a_reset_fork_is_fresh_keeps_its_files_and_can_be_forked(self):
        source = self.new()
        self.client.run(source, "x = 1; open('kept', 'w').write('k')")
        fork, = self.fork(source)
        self.client.session("reset", fork)
        self.assertEqual(self.value(fork, "'x' in globals(), open('kept').read()"), "(False, 'k')")
        self.client.run(fork, "y = 5")
        again, = self.fork(fork)
        self.assertEqual(self.value(again, "y"), "5")

    def test_names_counts_and_the_unknown_are_refused(self):
        source = self.new()
        for fields in ({"count": 65}, {"session": "Not A Name"}, {"rollback": "often"}):
            with self.assertRaises(Refused, msg=fields):
                self.client.session("fork", **{"source": source, "session": "", **fields})
        with self.assertRaisesRegex(Refused, "there is no session"):
            self.client.session("fork", source="nobody")
        self.assertEqual(sorted(self.fork(source, 2, session="twin")), ["twin-1", "twin-2"])
        with self.assertRaisesRegex(Refused, "exists already"):
            self.client.session("fork", source=source, count=2, session="twin")

    def test_a_line_of_forks_ends_at_its_depth_with_a_clear_error(self):
        last = self.new(rollback="off")
        self.client.run(last, "depth = 0")
        line = [last]
        with self.assertRaisesRegex(Refused, "30 forks away"):
            for _ in range(40):
                line.append(self.fork(line[-1])[0])
                if len(line) > 2:
                    self.client.session("rm", line[-2])
                self.client.run(line[-1], "depth += 1")
        self.assertEqual(len(line), 31)
        self.assertEqual(self.value(line[-1], "depth"), "30")


class Adopt(ForkCase):
    def test_the_best_of_several_goes_on_under_the_originals_name(self):
        source = self.new()
        self.client.run(source, "score = 0")
        forks = self.fork(source, 3)
        for n, fork in enumerate(forks):
            self.client.run(fork, f"score = {n}")
        self.client.session("adopt", source, source=forks[2])
        self.assertEqual(self.value(source, "score"), "2")
        self.assertNotIn(forks[2], self.sessions())
        self.assertEqual(self.value(forks[0], "score"), "0")
        again, = self.fork(source)
        self.assertEqual(self.value(again, "score"), "2")
        self.assertEqual(self.sessions()[again]["parent"], source)

    def test_only_a_fork_of_it_can_take_a_sessions_place(self):
        one, other = self.new(), self.new()
        with self.assertRaisesRegex(Refused, "not a fork"):
            self.client.session("adopt", one, source=other)

    def test_a_grandchild_can_take_the_place_when_its_parent_was_removed(self):
        source = self.new()
        child, = self.fork(source)
        grandchild, = self.fork(child)
        self.client.run(grandchild, "mark = 'grandchild'")
        self.client.session("rm", child)
        self.assertEqual(self.sessions()[grandchild]["parent"], source)
        self.client.session("adopt", source, source=grandchild)
        self.assertEqual(self.value(source, "mark"), "'grandchild'")

    def test_a_fork_cannot_take_the_place_of_a_new_session_with_the_name_of_its_original(self):
        source = self.new(name="lab-again")
        fork, = self.fork(source)
        self.client.session("rm", source)
        self.new(name="lab-again")
        self.client.run("lab-again", "mark = 'new'")
        self.assertIsNone(self.sessions()[fork]["parent"])
        with self.assertRaisesRegex(Refused, "not a fork"):
            self.client.session("adopt", "lab-again", source=fork)
        self.assertEqual(self.value("lab-again", "mark"), "'new'")

    def test_siblings_of_an_adopted_fork_are_forks_of_the_session_still(self):
        source = self.new()
        one, two = self.fork(source, 2)
        self.client.session("adopt", source, source=one)
        self.assertEqual(self.sessions()[two]["parent"], source)
        self.client.run(two, "mark = 2")
        self.client.session("adopt", source, source=two)
        self.assertEqual(self.value(source, "mark"), "2")

    def test_the_tree_shows_who_comes_from_whom(self):
        source = self.new(name="stem")
        child, = self.fork(source, session="bough")
        self.fork(child, session="twig")
        shown = self.manager.capsule("session", "ls", "--tree").out.decode().splitlines()
        self.assertEqual([line.split("  ")[0] if not line.startswith(" ") else line[:len(line) - len(line.lstrip())] +
                          line.split()[0] for line in shown if "stem" in line or "bough" in line or "twig" in line],
                         ["stem", "  bough", "    twig"])


class Apart(ForkCase):
    def test_programs_of_original_and_forks_do_not_reach_each_other(self):
        source = self.new()
        self.client.run(source, "import os, signal, subprocess\nsleeper = subprocess.Popen(['sleep', '60'])")
        one, two = self.fork(source, 2)
        for session in (one, two):
            self.client.run(session, "mine = subprocess.Popen(['sleep', '60'])")
        attack = ("for target in (-1, *range(2, 200)):\n"
                  "  if target == os.getpid() or os.path.exists(f'/proc/self/task/{target}'): continue\n"
                  "  try: os.kill(target, signal.SIGKILL)\n  except OSError: pass\n")
        for attacker in (source, one):
            outcome = self.client.run(attacker, attack)
            self.assertEqual(outcome.verdict, "ok", outcome)
        self.assertEqual(self.value(source, "sleeper.wait()"), "-9")
        self.assertEqual(self.value(one, "mine.wait()"), "-9")
        self.assertEqual(self.value(two, "str(mine.poll())"), "'None'")
        self.assertEqual(self.value(two, "sorted(p for p in os.listdir('/proc') if p.isdigit()) == "
                                         "sorted([str(os.getpid()), str(mine.pid)])"), "True")
        self.client.run(two, "mine.kill()")
        self.assertEqual(self.value(two, "mine.wait()"), "-9")

    def test_a_sweep_of_the_original_spares_its_forks(self):
        source = self.new(rollback="always")
        self.client.run(source, "import os, subprocess")
        fork, = self.fork(source)
        self.client.run(fork, "mine = subprocess.Popen(['sleep', '60'])")
        for _ in range(3):
            self.assertEqual(self.client.run(source, "os._exit(3)").state, "rolled_back")
        self.assertEqual(self.value(fork, "str(mine.poll())"), "'None'")
        self.assertEqual(self.client.run(fork, "os._exit(3)").verdict, "exit")
        self.assertEqual(self.value(source, "1 + 1"), "2")

    def test_a_fork_has_no_power_in_its_namespaces(self):
        source = self.new()
        fork, = self.fork(source)
        self.assertEqual(self.value(fork, "[l.split()[1] for l in open('/proc/self/status') "
                                          "if l.startswith(('CapInh', 'CapPrm', 'CapEff', 'CapAmb'))]"),
                         str(["0" * 16] * 4))
        self.assertEqual(self.value(fork, "__import__('socket').gethostname(), open('/proc/self/comm').read()[:7]"),
                         "('capsule', 'worker-')")


class Hostile(ForkCase):
    def test_keepers_that_are_killed_end_sessions_and_not_the_manager(self):
        for _ in range(3):
            source = self.new(rollback="always")
            self.client.run(source, "x = 1")
            forks = self.fork(source, 3)
            forks += self.fork(forks[0])
            for fork in forks:
                self.assertEqual(self.value(fork, "x"), "1")
            outermost = keeper_of(self.sessions()[source]["worker_pid"])
            inside = [pid for pid, name in processes.descendants(outermost).items() if name.startswith("capsule-")]
            self.assertGreaterEqual(len(inside), len(forks))  # and one that was made in advance
            for keeper in [*inside, outermost]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(keeper, signal.SIGKILL)
                for session in (source, *forks):
                    # Its keeper's end may come to be known during the run, and its worker's SIGKILL before that.
                    outcome = self.client.run(session, "1")
                    self.assertIn(outcome.verdict, ("ok", "worker_lost", "crashed"), outcome)
            for session in (source, *forks):
                self.client.session("rm", session)
        self.assertEqual(self.value(self.new(), "1"), "1")

    def test_a_fork_does_not_have_what_was_opened_only_by_name_in_its_original(self):
        source = self.new()
        self.client.run(source, "import os, socket; kept = socket.socketpair()\n"
                                "top = os.open('/', os.O_PATH); here = os.open('.', os.O_PATH)")
        fork, = self.fork(source)
        grandchild, = self.fork(fork)
        write = "for fd in range(3, 64):\n for place in ('mine', 'var/workspace/mine'):\n" \
                "  try: os.close(os.open(place, os.O_WRONLY | os.O_CREAT, dir_fd=fd))\n  except OSError: pass"
        self.client.run(grandchild, write)
        self.assertEqual(self.value(grandchild, "os.listdir('.')"), "['mine']")
        for session in (source, fork):
            self.assertEqual(self.value(session, "os.listdir('.')"), "[]")

    def test_a_copy_that_kept_its_capabilities_is_not_let_in(self):
        source = self.new()
        self.assertEqual(self.client.run(source, KEEP_CAPABILITIES).verdict, "ok")
        with self.assertRaisesRegex(Refused, "capabilities"):
            self.fork(source)
        self.assertEqual(self.value(source, "1"), "1")


# libc's syscall(), without capset: what a worker's helper calls to give up what entering a user namespace gives.
KEEP_CAPABILITIES = """
import ctypes, mmap
libc = ctypes.CDLL(None)
place = ctypes.cast(libc.syscall, ctypes.c_void_p).value
page = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
own = ctypes.addressof(ctypes.c_char.from_buffer(page))
page.write(bytes.fromhex("83ff7e7503" "31c0c3" "4889f84889f74889d64889ca4d89c24d89c84c8b4c24080f05"
                         "483d01f0ffff7301c3" "4883c8ffc3"))
assert libc.mprotect(ctypes.c_void_p(place & ~4095), 8192, 7) == 0
ctypes.memmove(place, b"\\x48\\xb8" + own.to_bytes(8, "little") + b"\\xff\\xe0", 12)
"""


class ManyForks(ForkCase):
    config = ForkCase.config.replace("[run]\n", "[limits]\nprocesses = 16\n[run]\n")

    def test_forks_have_processes_of_their_own_to_start(self):
        source = self.new(rollback="off")
        layers = {layer["name"]: layer for layer in self.client.run(source, "x = 7").evidence["layers"]}
        if layers["cgroup"]["state"] != "on":  # then forks count against their original's limit, as SECURITY.md says
            with self.assertRaisesRegex(Refused, "no room for a copy|did not answer in time|Operation not permitted"):
                for _ in range(25):
                    self.fork(source)
            self.assertEqual(self.value(source, "x"), "7")
            return
        forks = [fork for _ in range(5) for fork in self.fork(source, 5)]
        self.assertEqual({self.value(fork, "x") for fork in forks}, {"7"})
        bomb = "import os, time\nfor _ in range(60):\n try:\n  if os.fork() == 0: time.sleep(60)\n except OSError: pass"
        self.assertEqual(self.client.run(forks[0], bomb).verdict, "ok")
        started = "import subprocess; subprocess.run(['/bin/true'], check=True).returncode"
        for session in (source, forks[1]):
            self.assertEqual(self.value(session, started), "0")


class Counted(ForkCase):
    """Of the workers that a user may have each fork is one."""
    config = ForkCase.config.replace("[client]\n", "[client]\nmax_workers_per_uid = 3\n")

    def test_forks_are_counted_before_any_is_made(self):
        source = self.new()
        with self.assertRaisesRegex(Refused, "max_workers_per_uid"):
            self.fork(source, 3)
        self.assertEqual(len(self.fork(source, 2)), 2)
        self.assertEqual(len(self.sessions()), 3)


class Branches(ForkCase):
    """`capsule run --branches`: several tries from one state, of which one is kept."""

    def setUp(self):
        super().setUp()
        self.lab = self.new()
        self.client.run(self.lab, "numbers = [3, 1, 2]; calls = (n for n in range(10)); next(calls)")

    def code_file(self, name, code):
        path = pathlib.Path(self.manager.directory, name)
        path.write_text(code)
        self.addCleanup(path.unlink)
        return str(path)

    def branches(self, *arguments, **options):
        done = self.manager.capsule("run", "--session", self.lab, "--branches", *arguments, **options)
        for session in self.sessions():
            if session != self.lab:
                self.addCleanup(self.remove, session)
        return done

    def test_each_code_runs_from_the_same_state_and_one_is_kept(self):
        files = [self.code_file("a.py", "numbers.sort(); next(calls)"), self.code_file("b.py", "numbers.append(4)"),
                 self.code_file("c.py", "import os; os._exit(9)")]
        done = self.branches("3", "--name", "try", "--json", *files)
        self.assertEqual(done.status, 0, done)
        documents = {one["session"]: one for one in map(json.loads, done.out.splitlines())}
        self.assertEqual(sorted(documents), ["try-1", "try-2", "try-3"])
        self.assertEqual([documents[f"try-{i}"]["verdict"] for i in (1, 2, 3)], ["ok", "ok", "exit"])
        self.assertEqual(documents["try-1"]["result"]["text/plain"], "1")
        self.assertEqual(self.value(self.lab, "numbers, next(calls)"), "([3, 1, 2], 1)")
        self.assertEqual(self.manager.capsule("session", "adopt", self.lab, "try-1").status, 0)
        self.assertEqual(self.value(self.lab, "numbers, next(calls)"), "([1, 2, 3], 2)")
        self.assertEqual(self.value("try-2", "numbers"), "[3, 1, 2, 4]")

    def test_one_code_runs_in_all_with_random_numbers_of_their_own(self):
        done = self.branches("4", "-c", "import random; print(random.random())")
        self.assertEqual(done.status, 0, done)
        lines = done.out.decode().splitlines()
        self.assertEqual(len([line for line in lines if line.startswith("--- ") and line.endswith(": ok")]), 4, done)
        self.assertEqual(len({line for line in lines if not line.startswith("---")}), 4, done)
        self.assertIn(f"capsule session adopt {self.lab} BRANCH", done.err.decode())

    def test_when_none_ends_well_the_status_is_the_first_ones(self):
        done = self.branches("2", "-c", "import os; os._exit(9)")
        self.assertEqual(done.status, 9, done)
        self.assertIn(b"of branches 0 when at least one ended well", self.manager.capsule("run", "--help").out)

    def test_a_cancel_ends_all_and_keeps_their_state(self):
        child = self.manager.spawn("run", "--session", self.lab, "--branches", "2", "--name", "long", "--json",
                                   "-c", "while True: pass")
        wait_for(lambda: sum(row["state"] == "busy" for row in self.sessions().values()) == 2, 20, "both branches")
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=60)
        self.assertEqual([json.loads(line)["verdict"] for line in out.splitlines()], ["cancelled"] * 2)
        self.assertEqual(self.value("long-2", "numbers"), "[3, 1, 2]")
        for fork in ("long-1", "long-2"):
            self.remove(fork)

    def test_a_wrong_number_of_codes_or_no_session_is_explained(self):
        file = self.code_file("a.py", "1")
        done = self.branches("3", file, file)
        self.assertEqual((done.status, b"one file for all branches" in done.err), (2, True), done)
        done = self.manager.capsule("run", "--branches", "2", "-c", "1")
        self.assertEqual((done.status, b"--session" in done.err), (2, True), done)
        for count in ("0", "-1", "two"):
            done = self.manager.capsule("run", f"--branches={count}", "--session", self.lab, "-c", "1")
            self.assertEqual(done.status, 2, done)
            self.assertIn(f"--branches: found '{count}'; a whole number from 1 on is needed\n", done.err.decode())
        done = self.manager.capsule("run", "--branches", "2", "--session", "nobody", "-c", "1")
        self.assertEqual((done.status, b"nobody" in done.err), (125, True), done)
