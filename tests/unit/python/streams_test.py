"""Threads that outlive their run never write into the next one; streams keep order and bytes."""
import unittest

from support import WorkerTest

# A thread that prints one line each time it is told to, and says when it has.
TICKER = """
import queue, sys, threading
class Ticker(threading.Thread):
    def __init__(self, act):
        super().__init__(daemon=True)
        self.act, self.orders, self.done = act, queue.Queue(), queue.Queue()
        self.start()
    def run(self):
        while (order := self.orders.get()) is not None:
            self.act(order)
            self.done.put(1)
    def tick(self, word):
        self.orders.put(word)
        self.done.get()
"""


class LeftThreads(WorkerTest):
    def start_ticker(self, act="print"):
        self.worker.run(TICKER + f"t = Ticker({act})\nt.tick('first')")

    def test_print_of_a_left_thread_goes_to_the_run_that_started_it(self):
        self.start_ticker()
        outcome = self.run_cell("print('a')\nt.tick('late')\nprint('b')")
        self.assertEqual(outcome.stdout, "a\nb\n")
        self.assertEqual(self.worker.outputs()[0]["stdout"], "first\nlate\n")

    def test_stream_kept_by_a_left_thread_is_no_way_around(self):
        for act in ("lambda w, out=sys.stdout: out.write(w + '\\n')",
                    "lambda w, out=sys.stdout.buffer: (out.write(w.encode() + b'\\n'), out.flush())",
                    "lambda w, out=sys.stdout: out.writelines([w, '\\n'])",
                    "lambda w, out=sys.stdout: print(w, file=out)"):
            first = len(self.worker.outputs())
            self.start_ticker(act)
            self.assertEqual(self.run_cell("print('a'); t.tick('late')").stdout, "a\n", act)
            self.assertEqual(self.worker.outputs()[first]["stdout"], "first\nlate\n", act)
            self.run_cell("t.orders.put(None); t.join()")

    def test_stderr_and_unfinished_lines_are_kept_apart_too(self):
        self.start_ticker("lambda w: (print(w, end='', file=sys.stderr), print(w, end=''))")
        outcome = self.run_cell("print('a', end='')\nt.tick('late')\nprint('b')\nt.tick('later')")
        self.assertEqual((outcome.stdout, outcome.stderr), ("ab\n", ""))
        self.run_cell("t.orders.put(None); t.join()")
        self.run_cell("1")  # now the pipes are closed, and what was unfinished is out
        late = self.worker.outputs()[0]
        self.assertEqual((late["stdout"], late["stderr"]), ("firstlatelater", "firstlatelater"))

    def test_threads_started_by_a_left_thread_belong_to_its_run(self):
        self.start_ticker("lambda w: (s := threading.Thread(target=print, args=(w,)), s.start(), s.join())")
        self.assertEqual(self.run_cell("t.tick('late')").stdout, "")
        self.assertEqual(self.worker.outputs()[0]["stdout"], "first\nlate\n")

    def test_new_threads_write_to_their_own_run_while_old_ones_live(self):
        self.start_ticker()
        code = "for i in range(20):\n    s = threading.Thread(target=print, args=(i,)); s.start(); s.join()"
        self.assertEqual(self.run_cell(code).stdout, "".join(f"{i}\n" for i in range(20)))

    def test_logging_handler_of_an_earlier_run_writes_to_the_present_one(self):
        self.run_cell("import logging; logging.basicConfig(format='%(message)s')")
        self.start_ticker("logging.warning")
        self.assertEqual(self.run_cell("logging.warning('now'); t.tick('late')").stderr, "now\n")
        self.assertEqual(self.worker.outputs()[1]["stderr"], "first\nlate\n")

    def test_plain_streams_return_when_the_last_thread_is_gone(self):
        names = "type(sys.stdout).__name__, type(sys.stdout.buffer).__name__"
        self.start_ticker()
        self.assertEqual(self.run_cell(names).text, "('_RoutedText', '_RoutedBytes')")
        self.run_cell("t.orders.put(None); t.join()")
        self.assertEqual(self.run_cell(names).text, "('_Text', '_Bytes')")

    def test_pipes_of_few_runs_are_kept_and_none_leaks(self):
        self.run_cell(TICKER + "import os\ntickers = []")
        open_fds = "len(os.listdir('/proc/self/fd'))"
        counts = [int(self.run_cell(f"tickers.append(Ticker(print))\n{open_fds}").text) for _ in range(10)]
        # Two memfds of the test for each run, two duplicates while there are at most four, then one /dev/null.
        self.assertEqual([b - a for a, b in zip(counts, counts[1:])], [4, 4, 4, 4, 3, 2, 2, 2, 2])
        outcome = self.check_ok(self.run_cell("for t in tickers: t.tick('late')"))
        self.assertEqual(outcome.stdout, "")
        self.assertEqual([item["stdout"] for item in self.worker.outputs()],
                         [""] * 7 + ["late\n"] * 4 + [""])
        self.run_cell("for t in tickers: t.orders.put(None); t.join()")
        self.assertEqual(int(self.run_cell(open_fds).text), counts[0] + 2 * 12 + 1)

    def test_display_of_a_left_thread_names_its_run(self):
        self.worker.run(TICKER + "t = Ticker(display)", run_id="old")
        outcome = self.run_cell("t.tick('late')\ndisplay('now')", run_id="new")
        self.assertEqual([item[1] for item in outcome.sent], ["old", "new"])

    def test_left_thread_survives_without_a_reader_and_without_descriptors(self):
        self.run_cell(TICKER + "import os\nt = Ticker(print)\nos.close(1)")
        self.assertEqual(self.check_ok(self.run_cell("t.tick('x'); print('ok')")).stdout, "ok\n")

    def test_uncaught_error_in_a_thread_shows_its_source(self):
        outcome = self.run_cell("import threading\ndef f():\n    1 / 0\nt = threading.Thread(target=f, name='T')\n"
                                "t.start(); t.join()")
        self.assertIn('Exception in thread T:\nTraceback (most recent call last):\n', outcome.stderr)
        self.assertIn('  File "<cell 1>", line 3, in f\n    1 / 0\n    ~~^~~\nZeroDivisionError', outcome.stderr)


class Bytes(WorkerTest):
    def test_text_and_bytes_keep_their_order(self):
        outcome = self.run_cell("import os, subprocess, sys\nprint('a')\nsys.stdout.buffer.write(b'b\\n')\n"
                                "sys.stdout.flush()\nsubprocess.run(['echo', 'c'])\nos.write(1, b'd\\n')\nprint('e')")
        self.assertEqual(outcome.stdout, "a\nb\nc\nd\ne\n")

    def test_lines_are_out_at_once_and_the_rest_at_the_end(self):
        outcome = self.run_cell("import os\nprint('line'); print('rest', end='')\nos.write(1, b'|');")
        self.assertEqual(outcome.stdout, "line\n|rest")

    def test_odd_characters_pass(self):
        outcome = self.run_cell("import sys\nprint('é\\udcff')\nprint('\\ud800', file=sys.stderr)")
        self.assertEqual((outcome.stdout, outcome.stderr), ("é\udcff\n", "\\ud800\n"))

    def test_non_blocking_pipe_loses_nothing(self):
        outcome = self.run_cell("import os\nos.set_blocking(1, False)\nprint('x' * 100)")
        self.assertEqual(outcome.stdout, "x" * 100 + "\n")

    def test_streams_look_like_python_s(self):
        for run in (self.run_script, self.run_cell):
            self.check_streams(run)

    def test_references_from_before_the_first_session_run_still_work(self):
        self.run_script("import sys\nkept = sys.stdout")
        self.assertEqual(self.run_cell("print('old', file=kept); print('new')").stdout, "old\nnew\n")

    def check_streams(self, run):
        outcome = run("import io, sys\n"
                      "[(isinstance(s, io.TextIOWrapper), s.name, s.mode, s.encoding, s.errors,"
                      " s.line_buffering, s.fileno(), s.closed) for s in (sys.stdout, sys.stderr)]")
        self.assertEqual(outcome.text, "[(True, '<stdout>', 'w', 'utf-8', 'surrogateescape', True, 1, False), "
                                       "(True, '<stderr>', 'w', 'utf-8', 'backslashreplace', True, 2, False)]")


if __name__ == "__main__":
    unittest.main()
