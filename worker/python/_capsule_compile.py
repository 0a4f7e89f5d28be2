"""A program's bytes as code objects: the body, and the last expression apart so that its value can be shown."""
import __future__
import _ast
import io
import re

import _capsule_errors

_ONLY_AST = 0x400  # PyCF_ONLY_AST
_AWAIT = 0x2000  # PyCF_ALLOW_TOP_LEVEL_AWAIT
_COROUTINE = 0x80  # CO_COROUTINE
_FUTURES = 0
for _name in __future__.all_feature_names:
    _FUTURES |= getattr(__future__, _name).compiler_flag

_LARGE_CODE_BYTES = 1 << 20  # above: no syntax tree in Python objects, which cost 500 bytes a token
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
# One line that is an expression as a whole, most probably: most cells of a calculator are.
_LIKE_EXPRESSION = re.compile(rb"(?!(?:assert|async|class|def|del|for|from|global|if|import|nonlocal|raise|return|try|while|"
                              rb"with)\b)[^=;#\\\0\r\n:@]{1,200}\n?\Z")
_LINE_START = re.compile(rb"\n(?=[^\s#)\]}])")  # where a statement may begin
_NEWLINE = re.compile("\r\n|\r|\n")

_future_flags = 0  # of the __future__ imports in earlier runs of this worker


class Program:
    """Code objects or None each. is_async: it has a top-level await."""

    def __init__(self, body, last):
        self.body = body
        self.last = last
        self.is_async = is_coroutine(body) or is_coroutine(last)


def is_coroutine(code):
    return code is not None and bool(code.co_flags & _COROUTINE)


def compile_program(code, filename):
    """Raises what the compiler raises: SyntaxError and its like, RecursionError, MemoryError."""
    text = _decode(code)
    _capsule_errors.keep_source(filename, _lines(text))
    if b"\0" in code:
        raise _null_byte_error(code, text, filename)
    program = (_compile_large if len(code) > _LARGE_CODE_BYTES else _compile_small)(code, text, filename)
    for part in (program.body, program.last):
        if part is not None:
            _capsule_errors.keep_code(filename, part)
    return program


def _lines(text):
    if "\n" not in text and "\r" not in text:  # most cells; a StringIO touches what nothing else does
        return [text] if text else []
    return io.StringIO(text, newline=None).readlines()


def _decode(code):
    """The text as tracebacks show it; the compiler reads the bytes itself."""
    encoding = "utf-8-sig" if code.startswith(b"\xef\xbb\xbf") else "utf-8"
    for line in code.split(b"\n", 2)[:2] if b"coding" in code else ():
        cookie = _COOKIE.match(line)
        if cookie:
            encoding = cookie[1].decode("ascii", "replace")
    try:
        return code.decode(encoding, "replace")
    except (LookupError, ValueError):
        return code.decode("utf-8", "replace")


def _null_byte_error(code, text, filename):
    before = code[:code.index(b"\0")]
    line = before.count(b"\n")
    column = len(before) - before.rfind(b"\n")
    shown = text.split("\n")[line].replace("\0", "?")
    return SyntaxError("source code cannot contain null bytes", (filename, line + 1, column, shown))


def _compile(source, filename, mode, extra=0):
    return compile(source, filename, mode, _AWAIT | _future_flags | extra, True)


def _compile_body(source, filename):
    global _future_flags
    body = _compile(source, filename, "exec")
    _future_flags |= body.co_flags & _FUTURES
    return body


def _compile_small(code, text, filename):
    if _LIKE_EXPRESSION.match(code):
        try:
            return Program(None, _compile(code, filename, "eval"))
        except SyntaxError:
            pass  # the longer way knows what is wrong with it, and where
    tree = _compile(code, filename, "exec", _ONLY_AST)
    expression = None
    if tree.body and type(tree.body[-1]) is _ast.Expr and not _is_silenced(code, text, tree.body[-1]):
        expression = _ast.Expression(tree.body.pop().value)
    body = _compile_body(tree, filename) if tree.body else None
    last = None if expression is None else _compile(expression, filename, "eval")
    return Program(body, last)


def _is_silenced(code, text, statement):
    """Whether a semicolon follows the last expression: then its value is not shown."""
    if b";" not in code:
        return False
    line = _NEWLINE.split(text)[statement.end_lineno - 1]
    rest = line.encode("utf-8", "replace")[statement.end_col_offset:]
    return rest.lstrip(b" \t\f").startswith(b";")


def _compile_large(code, text, filename):
    """The last expression is looked for by its line: it is taken when both parts compile on their own."""
    code = code.rstrip()
    tail_bytes = max(0, len(code) - _LARGE_CODE_BYTES)
    starts = [match.start() + 1 for match in _LINE_START.finditer(code, tail_bytes)]
    start = starts[-1] if starts else 0
    if not code.endswith(b";") and (starts or b"\n" not in code):
        try:
            last = _compile(b"\n" * code.count(b"\n", 0, start) + code[start:], filename, "eval")
            return Program(_compile_body(code[:start], filename), last)
        except SyntaxError:
            pass
    return Program(_compile_body(code, filename), None)
