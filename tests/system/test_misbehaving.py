"""Programs with one sin each. Each gets its verdict, keeps its output, and leaves the manager as it was."""
import unittest

from processes import descendants, wait_for
from support import SMALL, ManagerCase, program

CONFIG = SMALL + """
[worker]
heartbeat_interval_s = 0.2
[run]
grace_s = 0.3
"""


class MisbehavingTest(ManagerCase):
    config = CONFIG

    def assert_ends(self, name, verdict, exit_status, stdout=None):
        document = self.manager.run(program(name), "--timeout", "30", seconds=60)
        self.assert_verdict(document, verdict, exit_status)
        if stdout is not None:
            self.assertEqual(document["stdout"], stdout, document)
        self.assert_next_run_works()
        return document

    def test_os_exit(self):
        document = self.assert_ends("os__exit", "exit", 7, "before\n")
        self.assertEqual(document["evidence"]["exit_code"], 7)

    def test_exit_from_a_thread(self):
        self.assert_ends("exit_from_thread", "exit", 9)

    def test_a_segfault(self):
        document = self.assert_ends("segfault", "crashed", 139, "before\n")
        self.assertEqual(document["evidence"]["signal"], 11)

    def test_an_abort(self):
        self.assert_ends("abort", "crashed", 134)

    def test_a_stack_that_runs_out(self):
        self.assertEqual(self.assert_ends("deep_recursion", "crashed", 139)["evidence"]["signal"], 11)

    def test_a_program_that_kills_itself(self):
        self.assert_ends("kill_itself", "crashed", 137)

    def test_a_program_that_kills_everyone_it_can(self):
        self.assert_ends("kill_everyone", "ok", 0, "still here\n")

    def test_all_descriptors_closed(self):
        self.assert_ends("close_all_fds", "worker_lost", 137, "before\n")

    def test_standard_streams_closed(self):
        self.assert_ends("close_standard_streams", "ok", 0, "before\n")

    def test_standard_streams_replaced(self):
        document = self.assert_ends("replaced_stdout", "ok", 0, "before\n")
        self.assertIsNone(document["error"])

    def test_a_program_that_stops_itself(self):
        document = self.assert_ends("sigstop_itself", "worker_lost", 137, "before\n")
        self.assertLess(document["usage"]["wall_s"], 10)

    def test_garbage_on_the_link(self):
        self.assert_ends("garbage_on_link", "worker_lost", 137)

    def test_a_fork_that_goes_on_to_the_end_too(self):
        document = self.assert_ends("fork_without_exit", "ok", 0)
        self.assertEqual(sorted(document["stdout"].split()), ["child", "parent"])

    def test_a_daemonised_grandchild(self):
        document = self.assert_ends("daemonised_grandchild", "ok", 0, "parent is done\n")
        self.assertLess(document["usage"]["wall_s"], 10)
        self.assert_no_process_named("python")

    def test_fifty_children_left_behind(self):
        self.assert_ends("endless_children", "ok", 0, "50\n")
        self.assert_no_process_named("sleep")

    def assert_no_process_named(self, name):
        def left():
            return [what for what in descendants(self.manager.pid).values() if what.startswith(name)]

        wait_for(lambda: not left(), 10, f"no process {name} below the manager")

    def test_a_full_workspace(self):
        self.assert_ends("fills_workspace", "ok", 0, "ENOSPC\n")

    def test_a_pool_of_processes(self):
        self.assert_ends("multiprocessing_pool", "ok", 0, "[0, 1, 4, 9, 16, 25, 36, 49]\n")

    def test_a_program_cannot_be_a_client_of_its_own_manager(self):
        code = (f"import socket\nclient = socket.socket(socket.AF_UNIX)\nclient.settimeout(5)\n"
                f"try:\n    client.connect({self.manager.socket!r})\n    print(client.recv(1))\n"
                f"except OSError as error:\n    print('refused')\n")
        self.assertIn(self.manager.run_code(code)["stdout"], ("refused\n", "b''\n"))

    def test_a_program_sees_no_process_of_the_host(self):
        document = self.manager.run_code("import os\n[p for p in os.listdir('/proc') if p.isdigit()]")
        self.assertEqual(document["result"]["text/plain"], "['2']", document)  # the keeper is hidden

    def test_the_traces_of_one_run_are_not_there_for_the_next(self):
        self.manager.run_code("import builtins, os, sys\nbuiltins.len = None\nos.environ['TRACE'] = '1'\n"
                              "sys.path.append('/trace')\nopen('trace', 'w').close()\nos.umask(0)")
        document = self.manager.run_code("import os, sys\n(len('ab'), 'TRACE' in os.environ, '/trace' in sys.path,"
                                         " os.path.exists('trace'), os.umask(0o22) != 0)")
        self.assertEqual(document["result"]["text/plain"], "(2, False, False, False, True)")


if __name__ == "__main__":
    unittest.main()
