"""Errors: as Python prints them, the program's frames only, bounded whatever the program raises."""
import unittest

from support import WorkerTest


class Compile(WorkerTest):
    def error(self, code, **options):
        outcome = self.run_cell(code, **options)
        self.assertEqual(outcome.verdict, "exception", outcome)
        return outcome.error

    def test_syntax_error_has_file_line_source_and_caret(self):
        self.assertEqual(self.error("x = 1\nfoo(1, 2", filename="my.py")["traceback"], [
            '  File "my.py", line 2', "    foo(1, 2", "       ^", "SyntaxError: '(' was never closed"])

    def test_indentation_and_decoding_errors_are_syntax_errors(self):
        self.assertEqual(self.error("if 1:\nx")["name"], "IndentationError")
        error = self.error(b"x = 1\ny = '\xff'")
        self.assertEqual(error["name"], "SyntaxError")
        self.assertIn("'utf-8' codec can't decode byte 0xff", error["value"])
        self.assertEqual(self.error(b"# coding: nonsense\n1")["name"], "SyntaxError")

    def test_null_byte_is_a_syntax_error_with_its_place(self):
        self.assertEqual(self.error(b"x = 1\ny\0 = 2")["traceback"], [
            '  File "<cell 1>", line 2', "    y? = 2", "     ^", "SyntaxError: source code cannot contain null bytes"])

    def test_mark_and_coding_cookie_are_obeyed(self):
        self.assertEqual(self.run_cell(b"\xef\xbb\xbf'\xc3\xa9'").text, "'é'")
        self.assertEqual(self.run_cell(b"# -*- coding: latin-1 -*-\n'\xe9'").text, "'é'")
        self.assertIn("    1 / 'é'", self.error(b"# coding: latin-1\n1 / '\xe9'")["traceback"])

    def test_hundred_thousand_parentheses(self):
        error = self.error("(" * 100_000 + ")" * 100_000)
        self.assertEqual(error["value"].split(" (")[0], "too many nested parentheses")
        self.assertLess(len("".join(error["traceback"])), 2000)

    def test_nesting_beyond_the_compiler_is_an_exception(self):
        for code in ("-" * 100_000 + "1", "x" + ".a" * 100_000, "+".join(["1"] * 100_000)):
            self.assertIn(self.error(code)["name"], ("MemoryError", "RecursionError"))
        self.assertTrue(self.worker.healthy())

    def test_ten_megabytes_in_one_line(self):
        outcome = self.check_ok(self.run_cell("x = '" + "a" * (10 << 20) + "'\nlen(x)"))
        self.assertEqual(outcome.text, str(10 << 20))
        self.assertEqual(self.run_cell("len('" + "b" * (10 << 20) + "')").text, str(10 << 20))
        self.assertIsNone(self.check_ok(self.run_cell("len('" + "b" * (10 << 20) + "');")).result)
        error = self.error("1 / 0; '" + "c" * (10 << 20) + "'")
        self.assertLess(len("".join(error["traceback"])), 256 << 10)
        self.assertIn("line 1, in <module>", error["traceback"][1])

    def test_large_program_keeps_line_numbers(self):
        filler = "# filler\n" * 200_000
        self.assertEqual(self.run_cell(filler + "x = 41\n\n(x +\n 1)\n\n# end\n").text, "42")
        error = self.error(filler + "x = 1\n\n1 / 0")
        self.assertIn('  File "<cell 2>", line 200003, in <module>', error["traceback"])
        self.assertIn("    1 / 0", error["traceback"])

    def test_lines_are_counted_as_python_counts_them(self):
        error = self.error("a = '''\x0c\x1c\u2028'''\r\nb = 1\r\n1 / 0")
        self.assertEqual(error["traceback"][1:3], ['  File "<cell 1>", line 3, in <module>', "    1 / 0"])


class Tracebacks(WorkerTest):
    def lines(self, code, **options):
        outcome = self.run_cell(code, **options)
        self.assertEqual(outcome.verdict, "exception", outcome)
        return outcome.error["traceback"]

    def test_lines_are_those_of_python(self):
        self.assertEqual(self.lines("def f(a):\n    return a['x'] + 1\n\nf({})", filename="prog.py"), [
            "Traceback (most recent call last):", '  File "prog.py", line 4, in <module>', "    f({})",
            '  File "prog.py", line 2, in f', "    return a['x'] + 1", "           ~^^^^^", "KeyError: 'x'"])

    def test_chains_notes_and_groups(self):
        text = "\n".join(self.lines(
            "try:\n    try: 1 / 0\n    except Exception as e: raise KeyError(1) from e\n"
            "except Exception:\n    e = ExceptionGroup('g', [ValueError('v')])\n    e.add_note('a note')\n    raise e"))
        for part in ("The above exception was the direct cause of the following exception:",
                     "During handling of the above exception, another exception occurred:",
                     "| ValueError: v", "| a note"):
            self.assertIn(part, text)
        self.assertNotIn("_capsule", text)

    def test_recursion_is_collapsed(self):
        lines = self.lines("def f(): f()\nf()")
        self.assertLess(len(lines), 20)
        self.assertTrue(any("more times" in line for line in lines))

    def test_errors_across_cells_show_the_source_of_each(self):
        self.run_cell("def f():\n    return undefined_here")
        self.assertEqual(self.lines("f()")[1:5], [
            '  File "<cell 2>", line 1, in <module>', "    f()", '  File "<cell 1>", line 2, in f',
            "    return undefined_here"])

    def test_source_survives_a_cleared_cache(self):
        self.assertIn("    1 / 0", self.lines("import linecache; linecache.clearcache()\n1 / 0"))

    def test_sources_of_few_cells_are_kept(self):
        self.run_cell("def f():\n    1 / 0")
        for _ in range(256):
            self.run_cell("")
        outcome = self.run_cell("import linecache\nlen([name for name in linecache.cache if name.startswith('<cell')])")
        self.assertEqual(outcome.text, "256")
        self.assertIn('  File "<cell 1>", line 2, in f', self.lines("f()"))

    def test_program_without_a_file_shows_its_own_lines_and_no_others(self):
        text = "\n".join(self.run_script("try:\n    exec('pass\\npass\\n1/0')\nexcept Exception as e:\n"
                                         "    raise ValueError from e").error["traceback"])
        self.assertIn('  File "<string>", line 4, in <module>\n    raise ValueError from e', text)
        self.assertIn('  File "<string>", line 3, in <module>\nZeroDivisionError', text)

    def test_name_value_and_status(self):
        outcome = self.run_cell("class MyError(Exception): pass\nraise MyError('a', 1)")
        self.assertEqual((outcome.verdict, outcome.exit_status, outcome.error["name"], outcome.error["value"]),
                         ("exception", 1, "MyError", "('a', 1)"))


HOSTILE = {
    "str raises": "class E(Exception):\n    def __str__(self): raise RuntimeError\nraise E",
    "str raises SystemExit": "class E(Exception):\n    def __str__(self): raise SystemExit(3)\nraise E",
    "str is no str": "class E(Exception):\n    def __str__(self): return 5\nraise E",
    "str is huge": "raise ValueError('x' * (64 << 20))",
    "many lines": "raise ValueError('x\\n' * 100_000)",
    "surrogates": "raise ValueError('\\ud800\\udcff')",
    "null": "raise ValueError('\\0')",
    "cycle": "a = ValueError(1); b = KeyError(2); a.__cause__ = b; b.__cause__ = a\nraise a",
    "own context": "a = ValueError(1); a.__context__ = a\nraise a",
    "long chain": "e = None\nfor i in range(5000):\n    n = ValueError(i); n.__cause__ = e; e = n\nraise e",
    "deep groups": "e = ValueError()\nfor i in range(5000): e = ExceptionGroup('g', [e])\nraise e",
    "wide group": "raise ExceptionGroup('g', [ValueError(i) for i in range(100_000)])",
    "notes": "e = ValueError()\ne.__notes__ = 5\nraise e",
    "note raises": "class N:\n    def __str__(self): 1 / 0\n    __repr__ = __str__\n"
                   "e = ValueError(); e.__notes__ = [N()]\nraise e",
    "properties": "class E(Exception):\n    __traceback__ = __cause__ = __notes__ = property(lambda s: 1 / 0)\nraise E",
    "metaclass": "class M(type):\n    __name__ = __qualname__ = __module__ = property(lambda s: 1 / 0)\n"
                 "    def __getattribute__(self, n): 1 / 0\nclass E(Exception, metaclass=M): pass\nraise E",
    "name": "E = type('E' * (1 << 20), (Exception,), {})\nraise E",
    "syntax error": "e = SyntaxError('x'); e.text, e.offset, e.lineno, e.filename = 5, 'a', [], 1j\nraise e",
    "long syntax error": "raise SyntaxError('x', ('f', 1, 10**7, 'y' * 10**7))",
    "unhashable": "class E(Exception):\n    __hash__ = None\n    def __eq__(self, o): 1 / 0\nraise E from E()",
    "deep recursion": "import sys\nsys.setrecursionlimit(20_000)\ndef f(n):\n    if n: f(n - 1)\n    1 / 0\nf(15_000)",
    "mutual recursion": "import sys\nsys.setrecursionlimit(9000)\ndef f(): g()\ndef g(): f()\nf()",
    "low recursion limit": "import sys\ndef f(n):\n    if n: return f(n - 1)\n    sys.setrecursionlimit(110)\n"
                           "    f(999)\nf(50)",
    "no attribute": "class E(Exception):\n    def __getattribute__(self, n): 1 / 0\nraise E",
    "memory": "raise MemoryError",
    "base": "class B(BaseException): pass\nraise B",
}


class Hostile(WorkerTest):
    def test_every_hostile_error_is_reported_within_bounds_and_the_worker_goes_on(self):
        for name, code in HOSTILE.items():
            with self.subTest(name):
                outcome = self.run_cell(code)
                self.assertEqual((outcome.verdict, outcome.exit_status), ("exception", 1), name)
                lines = outcome.error["traceback"]
                self.assertLessEqual(len("\n".join(lines).encode()), 256 << 10)
                self.assertLessEqual(len(lines), 4096)
                self.assertLessEqual(len(outcome.error["value"]), 64 << 10)
                self.assertTrue(any(line for line in lines))
                self.assertNotIn("the runner failed", outcome.error["value"])
                self.assertNotIn("_capsule", "".join(lines))
                self.assertEqual(self.run_cell("1 + 1").text, "2")

    def test_head_and_tail_of_a_long_report_are_kept(self):
        lines = self.run_cell(HOSTILE["str is huge"]).error["traceback"]
        self.assertEqual(lines[0], "Traceback (most recent call last):")
        self.assertIn("characters left out", "".join(lines))
        self.assertTrue(lines[-1].endswith("xxx"))


class Hooks(WorkerTest):
    def test_excepthook_of_a_script_is_called_and_the_error_reported_all_the_same(self):
        outcome = self.run_script(
            "import sys\nsys.excepthook = lambda t, v, tb: print('hook', t.__name__, tb.tb_lineno)\n1 / 0")
        self.assertEqual((outcome.stdout, outcome.error["name"]), ("hook ZeroDivisionError 3\n", "ZeroDivisionError"))

    def test_excepthook_that_raises_is_reported_on_stderr(self):
        outcome = self.run_script("import sys\ndef h(*a): {}['x']\nsys.excepthook = h\n1 / 0", filename="s.py")
        self.assertEqual((outcome.verdict, outcome.error["name"]), ("exception", "ZeroDivisionError"))
        self.assertTrue(outcome.stderr.startswith("Error in sys.excepthook:\nTraceback"))
        self.assertIn("KeyError: 'x'", outcome.stderr)


if __name__ == "__main__":
    unittest.main()
