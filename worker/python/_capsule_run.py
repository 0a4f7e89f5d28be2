"""One run: compile, execute, show the last expression's value, report how it ended.

execute() is all the worker calls. It never raises: the program's exceptions are results. Output comes before the
result, the result before the return.
"""
import _ast
import __future__
import _thread
import atexit
import builtins
import os
import re
import sys
import threading
import types

import _capsule
import _capsule_bundle
import _capsule_errors
import _capsule_interrupt
import _capsule_streams
from _capsule_interrupt import scope

_ONLY_AST = 0x400  # PyCF_ONLY_AST
_AWAIT = 0x2000  # PyCF_ALLOW_TOP_LEVEL_AWAIT
_COROUTINE = 0x80 | 0x200  # CO_COROUTINE, CO_ASYNC_GENERATOR
_FUTURES = 0
for _name in __future__.all_feature_names:
    _FUTURES |= getattr(__future__, _name).compiler_flag

_LARGE_CODE_BYTES = 1 << 20  # above: no syntax tree in Python objects, which cost 500 bytes a token
_EXIT_CANCELLED = 130
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_LAST_LINE = re.compile(rb"\n(?=[^\s#)\]}])")
_SHOW_LIMIT = 200  # recursion limit below which reporting would fail
_HIDDEN_NAMES = frozenset(("__name__", "__doc__", "__package__", "__loader__", "__spec__", "__annotations__",
                           "__builtins__", "__file__", "__warningregistry__"))

_main = None  # the module __main__ of this worker
_future_flags = 0  # from __future__ imports of earlier cells
_execution_count = 0


class _Program:
    """The compiled code of one run."""

    def __init__(self, body, last):
        self.body = body
        self.last = last
        self.is_async = any(code is not None and code.co_flags & _COROUTINE for code in (body, last))


def execute(request):
    """request: run_id, mode ("script", "cell"), session, code, filename, arguments, standard_input. See the worker."""
    global _execution_count
    try:
        run = _capsule_interrupt.Run(request["run_id"])
        _execution_count += 1
        run.execution_count = _execution_count
        return _execute(run, request, _namespace(request), _capsule.send_result)
    except BaseException as error:  # a bug of ours, or memory is out: last resort
        return _answer("exception", 1, {"name": type(error).__name__, "value": "the runner failed", "traceback": [
            f"{type(error).__name__}: the runner failed"]})
    finally:
        _capsule_interrupt.end_run()


def warm_up():
    """The whole path once with nothing to show for it: touches the pages that the first run will write."""
    request = {"run_id": "", "mode": "cell", "session": True, "filename": "<warm up>", "standard_input": False,
               "arguments": [], "code": b"import sys\ndef f(x):\n    return x\nprint(f(1), 'x')\n1 / 1, 'x'"}
    failing = dict(request, code=b"1 / 0")
    with _capsule_streams.Nowhere():
        for item in (request, failing):
            run = _capsule_interrupt.Run("")
            _execute(run, item, {"__name__": "__main__", "__builtins__": builtins}, lambda *_: None)
    _capsule_interrupt.end_run()
    _capsule_errors.forget_source("<warm up>")
    builtins.__dict__.pop("_", None)


def healthy():
    """Whether this interpreter can still compile and run a statement."""
    try:
        namespace = {}
        exec(compile("answer = sum(range(4))", "<health>", "exec"), namespace)
        return namespace["answer"] == 6
    except BaseException:
        return False


def _execute(run, request, namespace, send_result):
    pid = os.getpid()
    waits = request["mode"] == "script" and not request["session"]
    _capsule_interrupt.begin_run(run)
    _capsule_streams.begin_run(request["standard_input"])
    value, error = _guard(run, _run_program, run, request, namespace)
    if error is not None and not _is_exit(error) and request["mode"] == "script":
        _guard(run, _call_excepthook, error)
    if os.getpid() != pid:
        _leave_forked_child(run, error, waits)
    answered, late_error = _guard(run, _finish, run, request, value, error, waits)
    if error is None:
        error = late_error
    _put_back(run)
    verdict, status, report = _report(run, error)
    late_error = _guard(run, _capsule_streams.flush)[1]
    if verdict == "ok" and late_error is not None:
        verdict, status, report = _report(run, late_error)
    _capsule.flush_c()
    if answered is not None and verdict == "ok":
        send_result(run.id, run.execution_count, *answered)
    return _answer(verdict, status, report, run, namespace)


def _guard(run, function, *arguments):
    """(value, None) or (None, what was raised). The only door through which code of the program is entered."""
    try:
        return scope(run, function, *arguments), None
    except BaseException as error:
        return None, error


def _answer(verdict, status, report, run=None, namespace=None):
    return {
        "verdict": verdict,
        "exit_status": status,
        "error": report,
        "namespace_names": 0 if namespace is None else len(namespace) - len(_HIDDEN_NAMES & namespace.keys()),
        "late_interrupts": _capsule_interrupt.take_late(),
        "left_threads": _thread._count(),
        "awaited": run is not None and run.awaited,
    }


# Before the program


def _namespace(request):
    global _main
    if _main is None:
        _main = types.ModuleType("__main__")
        _main.__dict__.update(__builtins__=builtins, __annotations__={})
        if not sys.path or sys.path[0] != "":
            sys.path.insert(0, "")
    sys.modules["__main__"] = _main
    namespace = _main.__dict__
    filename = request["filename"]
    if request["mode"] == "script":
        sys.argv = [filename or "-c", *request["arguments"]]
        if filename and not filename.startswith("<"):
            namespace["__file__"] = filename
    else:
        sys.argv = ["", *request["arguments"]]
        namespace.pop("__file__", None)
    return namespace


def _filename(run, request):
    if request["filename"]:
        return request["filename"]
    return "<string>" if request["mode"] == "script" else f"<cell {run.execution_count}>"


def _decode(code):
    """The text as tracebacks show it; the compiler reads the bytes itself."""
    encoding = "utf-8-sig" if code.startswith(b"\xef\xbb\xbf") else "utf-8"
    for line in code.split(b"\n", 2)[:2]:
        cookie = _COOKIE.match(line)
        if cookie:
            encoding = cookie[1].decode("ascii", "replace")
    try:
        return code.decode(encoding, "replace")
    except LookupError:
        return code.decode("utf-8", "replace")


def _compile_program(run, request):
    code, filename = request["code"], _filename(run, request)
    text = _decode(code)
    _capsule_errors.keep_source(filename, text)
    if b"\0" in code:
        before = code[:code.index(b"\0")]
        line = before.count(b"\n")
        column = len(before) - before.rfind(b"\n")
        raise SyntaxError("source code cannot contain null bytes",
                          (filename, line + 1, column, text.split("\n")[line].replace("\0", "\\0")))
    program = (_compile_large if len(code) > _LARGE_CODE_BYTES else _compile_small)(code, text, filename)
    for part in (program.body, program.last):
        if part is not None:
            _capsule_errors.keep_code(filename, part)
    return program


def _compile(source, filename, mode, extra=0):
    return compile(source, filename, mode, _AWAIT | _future_flags | extra, True)


def _compile_small(code, text, filename):
    tree = _compile(code, filename, "exec", _ONLY_AST)
    expression = None
    if tree.body and type(tree.body[-1]) is _ast.Expr and not _is_silenced(code, text, tree.body[-1]):
        expression = _ast.Expression(tree.body.pop().value)
    body = last = None
    if tree.body:
        body = _compile(tree, filename, "exec")
        _keep_futures(body)
    if expression is not None:
        last = _compile(expression, filename, "eval")
    return _Program(body, last)


def _compile_large(code, text, filename):
    """The last expression is looked for by its line: both parts must compile on their own to be taken."""
    starts = [match.start() + 1 for match in _LAST_LINE.finditer(code, max(0, len(code) - _LARGE_CODE_BYTES))]
    if starts and not code[starts[-1]:].rstrip().endswith(b";"):
        padding = b"\n" * code.count(b"\n", 0, starts[-1])
        try:
            last = _compile(padding + code[starts[-1]:], filename, "eval")
            body = _compile(code[:starts[-1]], filename, "exec")
            _keep_futures(body)
            return _Program(body, last)
        except SyntaxError:
            pass
    body = _compile(code, filename, "exec")
    _keep_futures(body)
    return _Program(body, None)


def _keep_futures(body):
    global _future_flags
    _future_flags |= body.co_flags & _FUTURES


def _is_silenced(code, text, statement):
    """Whether a semicolon follows the last expression: then its value is not shown."""
    if b";" not in code:
        return False
    lines = re.split("\r\n|\r|\n", text)
    rest = lines[statement.end_lineno - 1].encode("utf-8", "replace")[statement.end_col_offset:]
    return rest.lstrip(b" \t\f").startswith(b";")


# The program


def _run_program(run, request, namespace):
    program = _compile_program(run, request)
    if program.is_async:
        return _capsule_interrupt.drive(run, _run_async(program, namespace))
    if program.body is not None:
        exec(program.body, namespace)
    return None if program.last is None else eval(program.last, namespace)


async def _run_async(program, namespace):
    value = None
    for code in (program.body, program.last):
        if code is not None:
            value = eval(code, namespace)
            if code.co_flags & _COROUTINE:
                value = await value
    return value if program.last is not None else None


# After the program


def _finish(run, request, value, error, waits):
    """Shows what there is to show, and what Python does at exit. Returns the result's bundle or None."""
    answered = None
    cancelled = _capsule_interrupt.was_cancelled(run, error)
    if not cancelled:
        _capsule_bundle.show_figures(sys.modules["capsule"].display)
    if value is not None:
        answered = _capsule_bundle.bundle(value, shown_figures=run.shown_figures)
        if request["session"]:
            builtins._ = value
    if waits and not cancelled:
        _wait_for_exit(run)
    if _thread._count():
        _capsule_streams.part_with_threads(run.id)
    return answered


def _wait_for_exit(run):
    threading._shutdown()
    atexit._run_exitfuncs()  # prints what its callbacks raise, an interrupt among it
    _capsule_interrupt.check(run)


def _call_excepthook(error):
    hook = sys.excepthook
    if hook is sys.__excepthook__:
        return
    _capsule_errors.strip(error)
    try:
        hook(type(error), error, error.__traceback__)
    except Exception as failure:
        print("Error in sys.excepthook:", file=sys.stderr)
        _capsule_errors.print_error(failure)


def _leave_forked_child(run, error, waits):
    """The program forked, and the child came to the end of its code: it must not come back into the worker."""
    status = 0
    try:
        if error is not None:
            status = _exit_status(error) if _is_exit(error) else 1
            if not _is_exit(error):
                _capsule_errors.print_error(error)
        if waits:
            _guard(run, _wait_for_exit, run)
        _capsule_streams.flush()
        _capsule.flush_c()
    finally:
        os._exit(status)


def _put_back(run):
    """What a program may have broken that later runs need. What else it changed is its own."""
    if _thread._count():
        _capsule_streams.part_with_threads(run.id)
    sys.settrace(None)
    sys.setprofile(None)
    if sys.getrecursionlimit() < _SHOW_LIMIT:
        sys.setrecursionlimit(1000)
    sys.displayhook = sys.__displayhook__
    builtins.display = sys.modules["capsule"].display
    _capsule_streams.end_run()


def _is_exit(error):
    return isinstance(error, SystemExit)


def _report(run, error):
    """(verdict, exit status, error as a dict or None)"""
    if error is None:
        return "ok", 0, None
    if _is_exit(error):
        status, failure = _guard(run, _exit_status, error)
        return "exit", 1 if failure is not None else status, None
    report, failure = _guard(run, _capsule_errors.describe, error)
    if failure is not None:
        report = {"name": type(failure).__name__, "value": "", "traceback": [type(failure).__name__]}
    if _capsule_interrupt.was_cancelled(run, error) or _capsule_interrupt.was_cancelled(run, failure):
        return "cancelled", _EXIT_CANCELLED, report
    return "exception", 1, report


def _exit_status(error):
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return int(code) & 0xFF if -(1 << 31) <= code < 1 << 31 else 0xFF
    print(code, file=sys.stderr)
    return 1
