"""What a run is: values, namespaces, ends, and what is put back."""
import unittest

from support import WorkerTest


class Values(WorkerTest):
    def test_value_of_last_expression_is_the_result(self):
        outcome = self.check_ok(self.run_cell("x = 20\nx + 22"))
        self.assertEqual(outcome.text, "42")
        self.assertEqual(outcome.sent[0][2], 1)

    def test_none_statements_and_a_semicolon_give_no_result(self):
        for code in ("x = 1", "None", "1 + 1;", "1 + 1 ; # why not", "(\n1\n);", "'é' ;", "pass", "", "# nothing",
                     "\n"):
            self.assertIsNone(self.check_ok(self.run_cell(code)).result, code)

    def test_semicolon_elsewhere_does_not_silence(self):
        for code in ("a = 1; 42", "';'; 42", "42 # ;", "(42\n)", "x = ';'\n42\n\n\n# ;"):
            self.assertEqual(self.run_cell(code).text, "42", code)

    def test_last_value_is_underscore_in_a_session(self):
        self.run_cell("41")
        self.assertEqual(self.run_cell("_ + 1").text, "42")

    def test_future_imports_stay_on_in_a_session(self):
        self.run_cell("from __future__ import annotations")
        self.assertEqual(self.run_cell("def f(x: undefined): pass\nf.__annotations__").text, "{'x': 'undefined'}")

    def test_names_are_counted_without_the_module_s_own(self):
        self.assertEqual(self.run_cell("a = 1\ndef f(): pass").namespace_names, 2)
        self.assertEqual(self.run_cell("del a\n_x = globals()\n_x[5] = 6").namespace_names, 3)


class WarmUp(WorkerTest):
    def test_rehearsals_leave_no_trace(self):
        outcome = self.run_cell("import builtins, linecache\n"
                                "(sorted(n for n in globals() if n[0] != '_'), hasattr(builtins, '_'),"
                                " [n for n in linecache.cache if 'warm' in n])")
        self.assertEqual((outcome.text, outcome.stdout, outcome.sent[0][2]),
                         ("(['builtins', 'linecache'], False, [])", "", 1))


class Main(WorkerTest):
    def test_script_is_the_program_main(self):
        outcome = self.run_script("import sys\n(__name__, __file__, sys.argv, sys.path[0])", filename="a/b.py",
                                  arguments=["x", "--y"])
        self.assertEqual(outcome.text, "('__main__', 'a/b.py', ['a/b.py', 'x', '--y'], '')")

    def test_script_without_a_file_has_no_file_name(self):
        outcome = self.run_script("import sys\n('__file__' in globals(), sys.argv)", arguments=["x"])
        self.assertEqual(outcome.text, "(False, ['-c', 'x'])")

    def test_classes_of_main_can_be_pickled(self):
        code = ("import pickle, dataclasses\n@dataclasses.dataclass\nclass P:\n    x: int\n"
                "pickle.loads(pickle.dumps(P(3)))")
        self.assertEqual(self.run_script(code).text, "P(x=3)")

    def test_session_survives_a_lost_main_module(self):
        self.run_cell("import sys\nx = 5\ndel sys.modules['__main__']")
        self.assertEqual(self.run_cell("import __main__\n__main__.x").text, "5")

    def test_source_of_a_cell_can_be_inspected(self):
        outcome = self.run_cell("import inspect\ndef f():\n    return 1\ninspect.getsource(f)")
        self.assertEqual(outcome.text, repr("def f():\n    return 1\n"))


class Ends(WorkerTest):
    def test_system_exit_gives_the_status_python_gives(self):
        for argument, status in (("", 0), ("None", 0), ("3", 3), ("256 + 7", 7), ("-1", 255), ("True", 1),
                                 ("10**30", 255), ("'text'", 1), ("(1, 2)", 1)):
            outcome = self.run_cell(f"raise SystemExit({argument})")
            self.assertEqual((outcome.verdict, outcome.exit_status, outcome.error), ("exit", status, None), argument)

    def test_system_exit_with_an_object_prints_it(self):
        self.assertEqual(self.run_cell("import sys; sys.exit('good bye')").stderr, "good bye\n")

    def test_session_goes_on_after_exit(self):
        self.assertEqual(self.run_cell("x = 1\nexit()").verdict, "exit")
        self.assertEqual(self.run_cell("import sys\n(x, sys.stdin.closed)").text, "(1, False)")

    def test_keyboard_interrupt_of_the_program_is_an_exception(self):
        self.assertEqual(self.run_cell("raise KeyboardInterrupt").verdict, "exception")
        outcome = self.run_cell("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nfor _ in range(10**6): pass")
        self.assertEqual((outcome.verdict, outcome.error["name"]), ("exception", "KeyboardInterrupt"))

    def test_script_waits_for_threads_then_runs_exit_callbacks_then_gives_the_result(self):
        outcome = self.check_ok(self.run_script(
            "import atexit, threading\n"
            "event = threading.Event()\n"
            "atexit.register(print, 'atexit')\n"
            "threading.Thread(target=lambda: (event.wait(), print('thread'))).start()\n"
            "threading.Timer(0.05, event.set).start()\n"
            "print('main')\n"
            "'value'"))
        self.assertEqual(outcome.stdout, "main\nthread\natexit\n")
        self.assertEqual((outcome.text, outcome.left_threads), ("'value'", 0))

    def test_session_does_not_wait_and_counts_threads(self):
        outcome = self.run_cell("import threading\nevent = threading.Event()\n"
                                "threads = [threading.Thread(target=event.wait) for _ in range(3)]\n"
                                "for t in threads: t.start()")
        self.assertEqual(outcome.left_threads, 3)
        self.assertEqual(self.run_cell("event.set()\nfor t in threads: t.join()").left_threads, 0)

    def test_exit_callbacks_of_a_session_do_not_run(self):
        self.assertEqual(self.run_cell("import atexit; atexit.register(print, 'no');").stdout, "")

    def test_exit_callback_that_raises_is_reported_on_stderr(self):
        outcome = self.check_ok(self.run_script("import atexit\natexit.register(lambda: 1 / 0)\nNone"))
        self.assertIn("ZeroDivisionError", outcome.stderr)

    def test_forked_child_never_comes_back(self):
        outcome = self.check_ok(self.run_cell(
            "import os\npid = os.fork()\n"
            "if pid == 0:\n    print('child')\n    raise SystemExit(7)\n"
            "os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])"))
        self.assertEqual((outcome.text, outcome.stdout), ("7", "child\n"))

    def test_forked_child_reports_its_exception_itself(self):
        outcome = self.check_ok(self.run_script(
            "import os\npid = os.fork()\nif pid == 0: 1 / 0\nos.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])",
            filename="f.py"))
        self.assertEqual(outcome.text, "1")
        self.assertIn('  File "f.py", line 3, in <module>\n    if pid == 0: 1 / 0\n', outcome.stderr)
        self.assertTrue(outcome.stderr.endswith("ZeroDivisionError: division by zero\n"))

    def test_forked_child_cannot_display_but_can_print(self):
        outcome = self.run_script("import multiprocessing as m\n"
                                  "def f():\n    print('out')\n    display(1)\n"
                                  "p = m.get_context('fork').Process(target=f)\np.start(); p.join(); p.exitcode")
        self.assertEqual((outcome.text, outcome.stdout, outcome.displays), ("1", "out\n", []))
        self.assertIn("RuntimeError: this process is not connected", outcome.stderr)


class PutBack(WorkerTest):
    def test_broken_streams_are_replaced(self):
        for code in ("sys.stdout.close(); sys.stderr.close(); sys.stdin.close()",
                     "sys.stdout = sys.stderr = sys.stdin = None", "del sys.stdout, sys.stderr, sys.stdin",
                     "sys.stdout.detach(); sys.stderr.detach()", "os.close(0); os.close(1); os.close(2)",
                     "io.TextIOWrapper(sys.stdout.buffer).close()"):
            self.assertEqual(self.run_cell("import io, os, sys\n" + code + "\nNone").verdict, "ok", code)
            outcome = self.check_ok(self.run_cell("print('out'); print('err', file=sys.stderr)\nsys.stdin.read()"))
            self.assertEqual((outcome.stdout, outcome.stderr, outcome.text), ("out\n", "err\n", "''"), code)

    def test_stuck_bytes_do_not_reach_the_next_run(self):
        self.assertEqual(self.run_cell("print('stuck', end='')", broken_stdout=True).verdict, "ok")
        self.assertEqual(self.run_cell("print('clean')").stdout, "clean\n")

    def test_streams_of_the_program_are_left_alone_and_flushed(self):
        self.run_cell("import io, sys\nkept = sys.stdout = io.StringIO()")
        self.assertEqual(self.run_cell("print('x'); kept.getvalue()").text, r"'x\n'")
        self.run_cell("class Bad:\n    def flush(self): 1 / 0\nsys.stdout = Bad()")
        self.assertEqual(self.run_cell("sys.stdout = sys.__stdout__; print('y')").stdout, "y\n")

    def test_display_trace_function_and_recursion_limit_come_back(self):
        self.check_ok(self.run_cell("import builtins, sys\ndel builtins.display\nsys.settrace(lambda *a: 1 / 0)"))
        self.check_ok(self.run_cell("sys.setprofile(lambda *a: None)"))
        self.run_cell("import sys; sys.setrecursionlimit(60)")
        outcome = self.check_ok(self.run_cell("display(1)\nsys.gettrace()"))
        self.assertEqual(outcome.displays, [{"text/plain": b"1"}])

    def test_what_the_program_changed_on_purpose_stays(self):
        self.run_cell("import os\nos.chdir('/')\nos.environ['MINE'] = '1'")
        self.assertEqual(self.run_cell("(os.getcwd(), os.environ['MINE'])").text, "('/', '1')")

    def test_locals_of_a_failed_run_are_freed(self):
        self.run_cell("import weakref\nclass A: pass\nref = None\n"
                      "def f():\n    global ref\n    a = A()\n    ref = weakref.ref(a)\n    1 / 0\nf()")
        self.assertEqual(self.run_cell("ref()").result, None)

    def test_worker_is_healthy_after_all_that(self):
        self.run_cell("1 / 0")
        self.assertTrue(self.worker.healthy())


class Input(WorkerTest):
    def test_input_is_forwarded_and_ends(self):
        outcome = self.run_script("import sys\na = input()\n(a, sys.stdin.read())", input="one\ntwo\nthree")
        self.assertEqual(outcome.text, r"('one', 'two\nthree')")

    def test_without_input_there_is_end_of_file(self):
        self.assertEqual(self.run_cell("input()").error["name"], "EOFError")

    def test_input_read_ahead_does_not_reach_the_next_run(self):
        self.run_cell("input()", input="one\ntwo\n")
        self.assertEqual(self.run_cell("input()").error["name"], "EOFError")
        self.assertEqual(self.run_cell("input()", input="three\n").text, "'three'")


if __name__ == "__main__":
    unittest.main()
