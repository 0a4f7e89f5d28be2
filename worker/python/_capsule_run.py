"""One run: compile, execute, show the last expression's value, report how it ended.

execute() is all the worker calls. It never raises: the program's exceptions are results. Output comes before the
result, the result before the return.
"""
import _thread
import atexit
import builtins
import gc
import os
import sys
import threading
import types

import _capsule
import _capsule_bundle
import _capsule_compile
import _capsule_errors
import _capsule_figures
import _capsule_fresh
import _capsule_interrupt
import _capsule_metrics
import _capsule_streams

_EXIT_CANCELLED = 130
_MIN_RECURSION_LIMIT = 200  # below, our own code would not get far
_HIDDEN_NAMES = frozenset(("__name__", "__doc__", "__package__", "__loader__", "__spec__", "__annotations__",
                           "__builtins__", "__file__", "__warningregistry__"))

_main = None  # the module __main__ of this worker
_execution_count = 0


def execute(request):
    """See the worker.

    request: run_id, mode ("script", "cell"), session, code, filename, arguments, standard_input, environment.
    """
    global _execution_count
    try:
        _execution_count += 1
        run = _capsule_interrupt.Run(request["run_id"], _execution_count)
        return _execute(run, request, _namespace(request), _capsule.send_result)
    except BaseException as error:  # a bug of ours, or memory is out: last resort
        return _answer("exception", 1, {"name": type(error).__name__, "value": "the runner failed", "traceback": [
            f"{type(error).__name__}: the runner failed"]})
    finally:
        _capsule_interrupt.end_run()


def warm_up():
    """The whole path once with nothing to show for it: touches the pages that the first run will write.

    In the zygote, and once more in each worker. What a failing cell writes (300 kB) is left to the workers that have one.
    """
    in_zygote = not _capsule_streams.is_installed()
    if in_zygote:
        _capsule_fresh.rehearse()
    request = {"run_id": "", "mode": "cell", "session": False, "filename": "<warm up>", "standard_input": False,
               "arguments": [], "code": b"import sys\ndef f(x):\n    return x\nprint(f(1), 'x')\n1 / 1, 'x'"}
    failing = dict(request, code=b"1 / 0")
    with _capsule_streams.Nowhere():
        for item in (request, failing) if in_zygote else (request,):
            run = _capsule_interrupt.Run("", 0)
            _execute(run, item, {"__name__": "__main__", "__builtins__": builtins}, lambda *_: None)
    _capsule_interrupt.end_run()
    _capsule_errors.forget_source("<warm up>")


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
    for name, value in request.get("environment", {}).items():  # update() of nothing asks abstract classes first
        os.environ[name] = value
    _capsule_streams.begin_run(request["standard_input"], request["session"])
    value, error = _guard(run, _run_program, run, request, namespace)
    if error is not None and not _is_exit(error) and request["mode"] == "script":
        _guard(run, _call_excepthook, error)
    if os.getpid() != pid:
        _leave_forked_child(run, error, waits)
    answered, late_error = _guard(run, _finish, run, request, value, error, waits)
    if error is None:
        error = late_error
    _put_back()
    if request["session"] and _thread._count():
        _capsule_streams.part_with_threads(run.id)
    verdict, status, report = _report(run, error)
    late_error = _guard(run, _capsule_streams.flush)[1]
    _capsule_metrics.end_run()
    if verdict == "ok" and late_error is not None:
        verdict, status, report = _report(run, late_error)
    _capsule.flush_c()
    if answered is not None and verdict == "ok":
        send_result(run.id, run.execution_count, *answered)
    value = error = late_error = None  # frames of the program lead back here: a cycle would keep its objects alive
    return _answer(verdict, status, report, run, namespace)


def _guard(run, function, *arguments):
    """(value, None) or (None, what was raised). The only door through which code of the program is entered."""
    try:
        return _capsule_interrupt.scope(run, function, *arguments), None
    except BaseException as error:
        _capsule.open_memory_reserve()  # there may be none left, to tell of this very thing
        return None, error
    finally:
        sys.settrace(None)  # a program's functions must not run in ours
        sys.setprofile(None)


def _answer(verdict, status, report, run=None, namespace=None):
    return {
        "verdict": verdict,
        "exit_status": status,
        "error": report,
        "namespace_names": 0 if namespace is None else len(namespace) - len(_HIDDEN_NAMES & namespace.keys()),
        "late_interrupts": _capsule_interrupt.take_late(),
        "left_threads": _thread._count(),
        "awaited": run is not None and run.awaited,
        "blocking_calls": 0 if run is None else run.blocking_calls,
        "stack": "" if run is None else run.stack,
    }


# Before the program


def session_namespace():
    """The globals of the programs of this worker, which are those of its module __main__."""
    global _main
    if _main is None:
        _main = types.ModuleType("__main__")
        _main.__dict__.update(__builtins__=builtins, __annotations__={})
        if not sys.path or sys.path[0] != "":
            sys.path.insert(0, "")
    sys.modules["__main__"] = _main
    return _main.__dict__


def _namespace(request):
    namespace = session_namespace()
    filename = request["filename"]
    if request["mode"] == "script":
        sys.argv = ["-c" if filename in ("", "<string>") else filename, *request["arguments"]]
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


# The program


def _run_program(run, request, namespace):
    program = _capsule_compile.compile_program(request["code"], _filename(run, request))
    _capsule.close_memory_reserve()
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
            if _capsule_compile.is_coroutine(code):
                value = await value
    return value if program.last is not None else None


# After the program


def _finish(run, request, value, error, waits):
    """Shows what there is to show, and what Python does at exit. Returns the result's bundle or None."""
    answered = None
    cancelled = _capsule_interrupt.was_cancelled(run, error)
    if not cancelled:
        _capsule_figures.show_open(run.shown_figures)
    if value is not None:
        answered = _capsule_bundle.bundle(value, shown_figures=run.shown_figures)
        if request["session"]:
            builtins._ = value
    if waits and not cancelled:
        _wait_for_exit(run)
    return answered


def _wait_for_exit(run):
    threading._shutdown()
    was_delivered = run.delivered
    atexit._run_exitfuncs()  # prints what its callbacks raise, an interrupt among it
    _end_module(sys.modules.get("__main__"))
    if run.delivered and not was_delivered:
        raise KeyboardInterrupt


def _end_module(module):
    """Lets go of what the program's globals hold, as Python does at its end: files are flushed, __del__ runs."""
    names = getattr(module, "__dict__", {})
    for private in (True, False):  # those with an underscore first: CPython's order (Objects/moduleobject.c)
        for name in list(names):
            if name.startswith("_") is private and name != "__builtins__":
                names[name] = None
    gc.collect()


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


def _put_back():
    """What a program may have broken that later runs need. What else it changed is its own."""
    if sys.getrecursionlimit() < _MIN_RECURSION_LIMIT:
        sys.setrecursionlimit(1000)
    sys.displayhook = sys.__displayhook__
    builtins.display = _capsule_figures.display
    _capsule_streams.end_run()


def _is_exit(error):
    return issubclass(type(error), SystemExit)  # isinstance() would ask the object


def _report(run, error):
    """(verdict, exit status, error as a dict or None)"""
    if error is None:
        return "ok", 0, None
    if _is_exit(error):
        status, failure = _guard(run, _exit_status, error)
        return "exit", 1 if failure is not None else status, None
    report, failure = _guard(run, _capsule_errors.describe, error)
    if failure is not None:
        report = _capsule_errors.describe_blindly(error)
    if _capsule_interrupt.was_cancelled(run, error) or _capsule_interrupt.was_cancelled(run, failure):
        return "cancelled", _EXIT_CANCELLED, report
    return "exception", 1, report


def _exit_status(error):
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return int(code) & 0xFF if -(1 << 63) <= code < 1 << 63 else 0xFF
    print(code, file=sys.stderr)
    return 1
