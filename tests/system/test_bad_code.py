"""Code that is hardly code. Each gets an ordinary verdict."""
import pathlib
import tempfile
import unittest

from support import ManagerCase


class BadCodeTest(ManagerCase):
    def run_bytes(self, code, *arguments):
        return self.manager.run("-", *arguments, feed=code)

    def assert_syntax_error(self, code, *words):
        document = self.run_bytes(code)
        self.assert_verdict(document, "exception", 1)
        self.assertEqual(document["error"]["name"], "SyntaxError", document["error"])
        for word in words:
            self.assertIn(word, "".join(document["error"]["traceback"]))

    def test_nothing_at_all(self):
        self.assert_verdict(self.run_bytes(b""), "ok", 0)
        self.assert_verdict(self.run_bytes(b"\n# only a comment\n"), "ok", 0)

    def test_a_nul_byte(self):
        self.assert_syntax_error(b"print(1)\nx = '\x00'\n")

    def test_bytes_that_are_not_utf8(self):
        self.assert_syntax_error(b"x = '\xff\xfe'\n")

    def test_bytes_of_a_declared_encoding(self):
        document = self.run_bytes(b"# -*- coding: latin-1 -*-\nprint(ascii('\xe9'))\n")
        self.assertEqual(document["stdout"], "'\\xe9'\n", document)
        self.assert_syntax_error(b"# -*- coding: no-such-encoding -*-\n")

    def test_a_byte_order_mark_and_carriage_returns(self):
        document = self.run_bytes(b"\xef\xbb\xbfprint('a')\r\nprint('b')\r\n")
        self.assertEqual(document["stdout"], "a\nb\n", document)

    def test_an_error_shows_the_line_and_where_in_it(self):
        self.assert_syntax_error(b"good = 1\nbad = = 2\n", "line 2", "bad = = 2", "^")

    def test_a_hundred_thousand_parentheses(self):
        document = self.run_bytes(b"(" * 100_000 + b")" * 100_000)
        self.assert_verdict(document, "exception", 1)
        self.assertIn(document["error"]["name"], ("SyntaxError", "MemoryError", "RecursionError"))

    def test_deep_nesting_that_the_parser_takes_but_the_compiler_may_not(self):
        document = self.run_bytes(b"x = " + b"-" * 50_000 + b"1\n")
        self.assertIn(document["verdict"], ("ok", "exception"))

    def test_ten_megabytes_in_one_line(self):
        document = self.run_bytes(b"x = '" + b"y" * 10_000_000 + b"'; print(len(x))\n")
        self.assert_verdict(document, "ok", 0)
        self.assertEqual(document["stdout"], "10000000\n")

    def test_ten_megabytes_of_statements_in_one_line(self):
        document = self.run_bytes(b"x=1;" * 2_500_000 + b"print(x)\n", "--timeout", "100")
        self.assertIn(document["verdict"], ("ok", "exception", "timeout", "out_of_memory"))

    def test_more_code_than_a_frame_may_carry_is_refused_with_the_limit(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "large.py")
            path.write_bytes(b"#" * ((12 << 20) + 1))
            done = self.manager.capsule("run", path)
        self.assertEqual(done.status, 125, done)
        self.assertRegex(done.err, rb"12582912|12(\.0)? MiB")

    def test_the_manager_works_on(self):
        self.assert_next_run_works()


if __name__ == "__main__":
    unittest.main()
