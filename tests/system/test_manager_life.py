"""Start, reload, drain, abort and sudden death of the manager."""
import os
import signal
import stat
import subprocess
import unittest

import processes
from processes import wait_for
from support import MANAGER, SMALL, Manager, finish, last_event, read_event


class ManagerLifeTest(unittest.TestCase):
    def manager(self, config=SMALL, **options):
        manager = Manager(config, **options)
        self.addCleanup(manager.kill)
        return manager.start()

    def busy(self, manager, code="print('up', flush=True); print(input())"):
        child = manager.spawn("run", "--events", "-c", code)
        read_event(child, "output")
        return child

    def client(self, manager):
        client = manager.raw()
        self.addCleanup(client.close)
        client.hello()
        return client

    def test_a_configuration_that_is_no_file_is_said_and_not_waited_for(self):
        manager = Manager()
        self.addCleanup(manager.kill)
        fifo = f"{manager.directory}/fifo"
        os.mkfifo(fifo)
        done = subprocess.run([MANAGER, "--config", fifo, "--socket", manager.socket], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 78, done)
        self.assertIn(b"not a regular file", done.stderr)

    def test_the_socket_is_for_the_owner_only(self):
        manager = self.manager()
        self.assertEqual(stat.S_IMODE(os.stat(manager.socket).st_mode), 0o600)
        manager.stop()

    def test_sigterm_lets_runs_end_and_takes_no_new_ones(self):
        manager = self.manager()
        child = self.busy(manager)
        client = self.client(manager)
        manager.signal(signal.SIGTERM)
        wait_for(lambda: manager.state(client) == "draining", 10, "draining")
        refused = client.execute("1")
        self.assertEqual((refused["type"], refused["code"]), ("error", "unavailable"), refused)
        self.assertIsNone(manager.process.poll())
        child.stdin.write(b"drained\n")
        child.stdin.flush()
        event = last_event(child)
        self.assertEqual(event["verdict"], "ok")
        self.assertEqual(manager.wait_gone(), 0)
        manager.assert_nothing_left()

    def test_ctrl_c_in_a_terminal_hits_the_whole_group_and_drains_too(self):
        manager = self.manager()
        child = self.busy(manager)
        client = self.client(manager)
        os.killpg(manager.pid, signal.SIGINT)
        wait_for(lambda: manager.state(client) == "draining", 10, "draining")
        client.close()
        child.stdin.write(b"not interrupted\n")
        child.stdin.flush()
        self.assertEqual(last_event(child)["verdict"], "ok")
        self.assertEqual(manager.wait_gone(), 0)
        manager.assert_nothing_left()

    def test_a_second_sigterm_aborts(self):
        manager = self.manager()
        child = self.busy(manager)
        client = self.client(manager)
        manager.signal(signal.SIGTERM)
        wait_for(lambda: manager.state(client) == "draining", 10, "draining")
        manager.signal(signal.SIGTERM)
        event = last_event(child)
        self.assertEqual((event["verdict"], event["exit_status"]), ("aborted", 125), event)
        self.assertEqual(manager.wait_gone(), 1, "a stop that killed programs is told from one that did not")
        manager.assert_nothing_left()

    def test_aborted_runs_tell_their_layers_also_those_that_never_started(self):
        manager = self.manager(SMALL.replace("warm = 2", "warm = 1\nmax = 1", 1))
        running = self.busy(manager)
        waiting = manager.spawn("run", "--events", "-c", "1")
        wait_for(lambda: manager.info("queue")["queue"]["depth"] == 1, 20, "a run that waits")
        manager.signal(signal.SIGTERM)
        wait_for(lambda: "draining" in manager.log(), 10, "draining")
        manager.signal(signal.SIGTERM)
        for child in (running, waiting):
            event = last_event(child)
            self.assertEqual(event["verdict"], "aborted", event)
            states = {layer["name"]: layer["state"] for layer in event["layers"]}
            self.assertEqual((states["seccomp"], states["root"]), ("on", "on"), event)
        manager.wait_gone()

    def test_a_drain_that_takes_too_long_aborts(self):
        manager = self.manager(SMALL + "[server]\ndrain_timeout_s = 0.5\n[run]\ngrace_s = 0.2\n")
        child = self.busy(manager)
        manager.signal(signal.SIGTERM)
        self.assertEqual(last_event(child)["verdict"], "aborted")
        self.assertEqual(manager.wait_gone(), 1)
        manager.assert_nothing_left()

    def test_sudden_death_leaves_no_process(self):
        manager = self.manager()
        child = self.busy(manager, "import subprocess\nsubprocess.Popen(['sleep', '600'])\nprint('up', flush=True)\n"
                                   "while True: pass")
        self.assertGreater(len(processes.descendants(manager.pid)), 3)
        manager.signal(signal.SIGKILL)
        self.assertEqual(manager.wait_gone(), -signal.SIGKILL)
        processes.assert_none_left(10)
        done = finish(child)
        self.assertEqual(done.status, 125, done)

    def test_what_a_killed_manager_left_in_control_groups_goes_with_the_next_one_anywhere(self):
        dead = self.manager()
        if not processes.groups_of(dead.pid):
            self.skipTest("this machine gives capsules no control groups")
        other = self.manager()
        dead.signal(signal.SIGKILL)
        dead.wait_gone()
        self.assertTrue(processes.groups_of(dead.pid))
        third = self.manager()
        wait_for(lambda: not processes.groups_of(dead.pid), 20, "no group of the dead manager")
        for manager in (other, third):
            self.assertTrue(processes.groups_of(manager.pid), "a live manager keeps its own")
            self.assertEqual(manager.capsule("run", "-c", "print(1)").out, b"1\n")
            manager.signal(signal.SIGTERM)
            self.assertEqual(manager.wait_gone(), 0)
            self.assertEqual(processes.groups_of(manager.pid), [])

    def test_a_new_manager_takes_over_the_socket_of_a_dead_one(self):
        manager = self.manager()
        manager.signal(signal.SIGKILL)
        manager.wait_gone()
        processes.assert_none_left(10)
        self.assertTrue(os.path.exists(manager.socket))
        manager.start()
        self.assertEqual(manager.capsule("run", "-c", "print(1)").out, b"1\n")
        manager.signal(signal.SIGTERM)
        self.assertEqual(manager.wait_gone(), 0)

    def test_two_managers_cannot_have_one_socket(self):
        manager = self.manager()
        second = subprocess.run([manager.process.args[0], "--socket", manager.socket], capture_output=True, timeout=60)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn(manager.socket.encode(), second.stderr + second.stdout)
        self.assertEqual(manager.capsule("run", "-c", "print(1)").out, b"1\n")
        manager.stop()

    def test_sighup_takes_a_good_config(self):
        manager = self.manager()
        manager.config_file.write_text(SMALL.replace("warm = 2", "warm = 4", 1))
        manager.signal(signal.SIGHUP)
        wait_for(lambda: manager.pool()["workers"]["idle"] == 4, 20, "four ready workers")
        manager.stop()

    def test_sighup_with_a_bad_config_changes_nothing_and_says_where(self):
        manager = self.manager()
        manager.config_file.write_text(SMALL.replace("warm = 2", "warm = \"many\"", 1))
        manager.signal(signal.SIGHUP)
        wait_for(lambda: "capsule.toml:4:" in manager.log(), 10, "the place of the error in the log")
        self.assertEqual(manager.pool()["warm_target"], 2)
        self.assertEqual(manager.capsule("run", "-c", "print(1)").out, b"1\n")
        manager.stop()

    def test_sighup_with_what_is_no_file_changes_nothing_and_holds_nothing_up(self):
        manager = self.manager()
        manager.config_file.unlink()
        os.mkfifo(manager.config_file)
        manager.signal(signal.SIGHUP)
        wait_for(lambda: "capsule.toml is not a regular file" in manager.log(), 10, "the reason in the log")
        self.assertEqual(manager.capsule("run", "-c", "print(1)").out, b"1\n")
        manager.stop()

    def test_sighup_with_another_content_of_a_profile_replaces_what_was_made_with_the_old_one(self):
        manager = self.manager()
        session = manager.capsule("session", "new").out.decode().strip()
        code = "import os; print(os.environ.get('COLOUR'))"
        self.assertEqual(manager.run_code(code)["stdout"], "None\n")
        manager.config_file.write_text(SMALL + "[profiles.base.environment]\nCOLOUR = \"blue\"\n")
        manager.signal(signal.SIGHUP)
        wait_for(lambda: manager.run_code(code)["stdout"] == "blue\n", 20, "the new environment")
        for _ in range(4):  # more than there were in stock
            self.assertEqual(manager.run_code(code)["stdout"], "blue\n")
        self.assertEqual(manager.exec(session, code)["stdout"], "None\n", "a session keeps what it was made with")
        self.assertEqual(manager.pool()["breaker"]["deaths"], 0)
        manager.stop()

    def test_sighup_with_a_module_that_cannot_be_loaded_leaves_the_old_workers_and_says_why(self):
        manager = self.manager()
        manager.config_file.write_text(SMALL + "[profiles.base]\npreload = [\"no_such_module\"]\n")
        manager.signal(signal.SIGHUP)
        wait_for(lambda: "no_such_module" in manager.pool()["detail"], 20, "the reason")
        for _ in range(4):
            self.assertEqual(manager.capsule("run", "-c", "print(1)").out, b"1\n")
        manager.stop()

    def test_sighup_with_a_profile_that_names_what_is_not_there_changes_nothing_and_says_what(self):
        manager = self.manager()
        for key, text in (("mounts", '[{ source = "/no/such/data", target = "/data" }]'), ("packages", '["/no/such/venv"]')):
            manager.config_file.write_text(SMALL.replace("warm = 2", "warm = 4", 1) + f"[profiles.base]\n{key} = {text}\n")
            manager.signal(signal.SIGHUP)
            wait_for(lambda: f"profiles.base.{key}" in manager.log(), 10, "the reason in the log")
        self.assertEqual(manager.pool()["warm_target"], 2)
        self.assertEqual(manager.capsule("run", "-c", "print(1)").out, b"1\n")
        manager.stop()

    def test_a_bad_config_at_start_ends_with_its_place(self):
        manager = Manager(SMALL + "\n[pool]\n")
        self.addCleanup(manager.kill)
        manager.config_file.write_text("[pool]\nwarmth = 3\n")
        manager.start(wait_ready=False)
        self.assertNotEqual(manager.wait_gone(), 0)
        self.assertIn("capsule.toml:2:", manager.log())
        self.assertIn("pool.warm", manager.log())

    def test_a_manager_that_is_told_to_end_while_it_starts_ends(self):
        manager = Manager(SMALL)
        self.addCleanup(manager.kill)
        manager.start(wait_ready=False)
        wait_for(lambda: os.path.exists(manager.socket) or manager.process.poll() is not None, 20, "the socket")
        manager.signal(signal.SIGTERM)
        self.assertEqual(manager.wait_gone(20), 0)
        processes.assert_none_left()


if __name__ == "__main__":
    unittest.main()
