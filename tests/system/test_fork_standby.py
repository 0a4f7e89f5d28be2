"""Forks that are made before they are asked for: the next one is there at once, and is what its original is now."""
import os
import pathlib
import re
import signal
import time
import urllib.request

import processes
from processes import wait_for
from test_fork import STATE, ForkCase


class StandbyCase(ForkCase):
    arguments = ("--http", "127.0.0.1:0")

    def starts(self):
        """How many forks began with what, from the metrics."""
        address = self.manager.info("manager")["manager"]["http"]
        text = urllib.request.urlopen(f"http://{address}/metrics", timeout=10).read().decode()
        return {start: int(count) for start, count in re.findall(r'capsule_fork_starts_total{start="(\w+)"} (\d+)', text)}

    def in_advance(self, source):
        return self.sessions()[source]["fork_in_advance"]

    def forked_once(self, source):
        """The workers that there are once the session has a fork in advance."""
        self.fork(source)
        wait_for(lambda: self.in_advance(source), what="a fork in advance")
        return self.workers()

    def workers(self):
        return {row["pid"] for row in self.manager.info("workers")["workers"]}

    def pid_of(self, session):
        return self.sessions()[session]["worker_pid"]


class Standby(StandbyCase):
    def test_the_next_fork_was_there_before_it_was_asked_for(self):
        source = self.new()
        self.client.run(source, STATE)
        before = self.forked_once(source)
        fork, = self.fork(source)
        self.assertIn(self.pid_of(fork), before)
        row = self.sessions()[fork]
        self.assertEqual((row["parent"], row["state"], row["runs"]), (source, "ready", 0))
        self.assertEqual(self.value(fork, "next(stream), add(2), kept is also, opened.read()"), "(2, 42, True, 'e\\n')")
        wait_for(lambda: self.in_advance(source), what="the one after it")
        self.assertEqual(self.value(source, "next(stream)"), "2")

    def test_after_a_run_of_the_original_a_fork_has_what_the_run_did(self):
        source = self.new()
        self.client.run(source, "x = 1")
        before = self.forked_once(source)
        self.client.run(source, "x = 2")
        fork, = self.fork(source)
        self.assertNotIn(self.pid_of(fork), before)
        self.assertEqual(self.value(fork, "x"), "2")

    def test_after_a_run_that_wrote_nothing_a_fork_goes_into_a_capsule_that_was_there(self):
        source = self.new()
        self.client.run(source, "open('a.txt', 'w').write('one')")
        # The capsule may come a moment after the fork in advance, and another fork may be made after the run already.
        for x in range(10):
            self.forked_once(source)
            self.client.run(source, f"x = {x}")
            before = self.starts()
            fork, = self.fork(source)
            self.assertEqual(self.value(fork, "x, open('a.txt').read()"), f"({x}, 'one')")
            if self.starts()["capsule"] == before["capsule"] + 1:
                break
        else:
            self.fail("each of ten forks made its capsule anew")
        # What it writes is its own.
        self.client.run(fork, "open('a.txt', 'w').write('two')")
        self.assertEqual(self.value(source, "open('a.txt').read()"), "'one'")

    def test_after_a_run_that_wrote_a_file_a_fork_has_it(self):
        source = self.new()
        self.forked_once(source)
        self.client.run(source, "open('a.txt', 'w').write('one')")
        before = self.starts()
        fork, = self.fork(source)
        self.assertEqual(self.starts()["capsule"], before["capsule"])
        self.assertEqual(self.value(fork, "open('a.txt').read()"), "'one'")

    def test_several_forks_at_once_after_a_run_are_all_what_it_left(self):
        source = self.new()
        self.forked_once(source)
        self.client.run(source, "x = [3]")
        forks = self.fork(source, 3)
        self.assertEqual([self.value(fork, "x.append(4), x") for fork in forks], ["(None, [3, 4])"] * 3)

    def test_after_an_undo_or_a_crash_a_fork_is_what_the_original_went_back_to(self):
        source = self.new(rollback="always")
        self.client.run(source, "x = 1")
        self.client.run(source, "x = 2")
        self.forked_once(source)
        self.client.session("undo", source)
        self.assertEqual(self.value(self.fork(source)[0], "x"), "1")
        wait_for(lambda: self.in_advance(source), what="a fork in advance")
        self.client.run(source, "x = 3; import os; os._exit(1)")
        self.assertEqual(self.value(self.fork(source)[0], "x"), "1")

    def test_a_file_that_came_or_changed_meanwhile_is_in_the_next_fork(self):
        source = self.new()
        self.client.run(source, "open('a.txt', 'w').write('one')")
        self.forked_once(source)
        local = pathlib.Path(self.manager.directory, "b.txt")
        local.write_text("two")
        self.manager.capsule("cp", str(local), f"{source}:b.txt")
        fork, = self.fork(source)
        self.assertEqual(self.value(fork, "sorted(__import__('os').listdir()), open('b.txt').read()"),
                         "(['a.txt', 'b.txt'], 'two')")

    def test_what_a_process_of_the_original_writes_is_in_the_next_fork(self):
        source = self.new()
        # One that nobody waits for: with a child of the program no fork is made in advance.
        self.client.run(source, "import subprocess; subprocess.run(['/bin/sh', '-c', '(sleep 1; echo late > late.txt) &'])")
        self.forked_once(source)
        time.sleep(1.5)  # the program's own pace
        fork, = self.fork(source)
        self.assertEqual(self.value(fork, "open('late.txt').read()"), "'late\\n'")

    def test_what_was_written_through_a_mapping_is_in_the_next_fork(self):
        source = self.new()
        self.client.run(source, "import mmap; f = open('map', 'w+b'); f.write(b'old'); f.flush(); m = mmap.mmap(f.fileno(), 3)")
        self.forked_once(source)
        self.client.run(source, "m[:] = b'new'")  # moves no time of the file
        fork, = self.fork(source)
        self.assertEqual(self.value(fork, "open('map').read()"), "'new'")

    def test_of_a_session_that_has_left_programs_running_none_is_made(self):
        source = self.new()
        self.client.run(source, "import subprocess; child = subprocess.Popen(['sleep', '60'])")
        self.fork(source)
        time.sleep(0.5)  # several times as long as one would take
        self.assertFalse(self.in_advance(source))
        self.client.run(source, "child.kill(); child.wait()")
        self.forked_once(source)

    def test_of_a_session_with_many_megabytes_of_files_none_is_used(self):
        source = self.new()
        self.client.run(source, "open('large', 'wb').write(bytes(5 << 20))")
        self.forked_once(source)
        before = self.starts()
        fork, = self.fork(source)
        self.assertEqual(self.starts(), {**before, "nothing": before["nothing"] + 1})
        self.assertEqual(self.value(fork, "__import__('os').stat('large').st_size"), str(5 << 20))

    def test_forks_in_a_row_differ_in_their_random_streams(self):
        source = self.new()
        self.client.run(source, "import random, uuid")
        seen = set()
        for _ in range(4):
            self.forked_once(source)
            seen.add(self.value(self.fork(source)[0], "random.random(), uuid.uuid4()"))
        self.assertEqual(len(seen), 4)

    def test_one_that_died_is_not_handed_out(self):
        source = self.new()
        self.client.run(source, "x = 5")
        before = self.workers()
        fork, = self.fork(source)
        wait_for(lambda: self.in_advance(source), what="a fork in advance")
        new = {pid for pid in self.workers() - before - {self.pid_of(fork)} if is_inside_another_capsule(pid)}
        self.assertEqual(len(new), 1)
        for pid in new:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not new & self.workers(), what="the manager's knowledge of it")
        fork, = self.fork(source)
        self.assertNotIn(self.pid_of(fork), new)
        self.assertEqual(self.value(fork, "x"), "5")

    def test_it_takes_the_mode_that_was_asked_for(self):
        source = self.new()
        self.forked_once(source)
        fork, = self.fork(source, rollback="off")
        self.assertEqual(self.sessions()[fork]["rollback"], "off")

    def test_it_ends_with_its_original(self):
        source = self.new()
        self.fork(source)
        for session in list(self.sessions()):
            if session != source:
                self.client.session("rm", session)
        wait_for(lambda: self.in_advance(source), what="a fork in advance")
        keepers = processes.descendants(self.manager.pid)
        self.client.session("rm", source)
        wait_for(lambda: len(processes.descendants(self.manager.pid)) <= len(keepers) - 3, what="the end of both")


def is_inside_another_capsule(pid):
    """It has a number in more than one pid namespace below the manager's."""
    numbers = [line for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
               if line.startswith("NSpid:")][0].split()[1:]
    return len(numbers) > 2


class NobodyCounts(ForkCase):
    """What is made in advance takes nothing from what somebody may have."""
    config = ForkCase.config.replace("[client]\n", "[client]\nmax_workers_per_uid = 3\nmax_sessions_per_uid = 3\n")

    def test_it_is_neither_a_session_nor_a_worker_of_its_user(self):
        source = self.new()
        fork, = self.fork(source)
        wait_for(lambda: self.sessions()[source]["fork_in_advance"], what="a fork in advance")
        self.assertEqual(set(self.sessions()), {source, fork})
        self.fork(source)
        self.assertEqual(len(self.sessions()), 3)


class OfAll(StandbyCase):
    """Sessions that were not forked yet have one, too."""
    config = ForkCase.config + '[sessions]\nfork_standby_of = "all"\n'

    def test_the_first_fork_was_there_before_it_was_asked_for(self):
        source = self.new()
        self.client.run(source, STATE)
        wait_for(lambda: self.in_advance(source), what="a fork in advance")
        before, there = self.starts(), self.workers()
        fork, = self.fork(source)
        self.assertEqual(self.starts(), {**before, "ahead": before["ahead"] + 1})
        self.assertIn(self.pid_of(fork), there)
        self.assertEqual(self.value(fork, "next(stream), add(2)"), "(2, 42)")

    def test_after_a_run_there_is_another_one(self):
        source = self.new()
        for x in range(3):
            self.client.run(source, f"x = {x}")
            wait_for(lambda: self.in_advance(source), what="a fork in advance")
        self.assertEqual(self.value(self.fork(source)[0], "x"), "2")

    def test_one_that_crashes_and_comes_back_is_forked_as_it_is_then(self):
        source = self.new(rollback="always")
        self.client.run(source, "x = 1")
        self.client.run(source, "x = 2; import os; os._exit(1)")
        wait_for(lambda: self.in_advance(source), what="a fork in advance")
        self.assertEqual(self.value(self.fork(source)[0], "x"), "1")


class SwitchedOff(ForkCase):
    config = ForkCase.config + "[sessions]\nfork_standby_s = 0\n"

    def test_none_is_made_where_it_is_switched_off(self):
        source = self.new()
        self.fork(source)
        time.sleep(0.3)  # several times as long as one would take
        self.assertFalse(self.sessions()[source]["fork_in_advance"])


class NotForLong(ForkCase):
    config = ForkCase.config + "[sessions]\nfork_standby_s = 0.3\n"

    def test_one_that_nobody_takes_goes_away(self):
        source = self.new()
        self.fork(source)
        wait_for(lambda: self.sessions()[source]["fork_in_advance"], what="a fork in advance")
        wait_for(lambda: not self.sessions()[source]["fork_in_advance"], what="its end")
        self.assertEqual(self.value(self.fork(source)[0], "1"), "1")
