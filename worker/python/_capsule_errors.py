"""Exceptions as results: name, value and traceback as Python prints them, with the program's own frames only.

Whatever a program raises is hostile: __str__ may raise, chains may be cyclic, messages may be huge. Everything is
bounded here, and the worst case is a short report, never an exception.
"""
import ast  # noqa: F401  what traceback imports when it first draws carets
import linecache
import sys
import threading
import traceback

import _capsule

_MAX_VALUE_CHARS = 64 << 10
_MAX_TRACEBACK_LINES = 2000
_MAX_CHAIN = 1000  # exceptions of one chain or group that are looked at
_MAX_SOURCES = 256
_MAX_SOURCE_CHARS = 16 << 20  # of all kept sources together
_MAX_SOURCE_LINE_CHARS = 16 << 10
_SYNTAX_TEXT_CHARS = 240  # of an offending line, when it is longer than that

OWN_MODULES = frozenset((
    "_capsule_routes", "_capsule_streams", "_capsule_bundle", "_capsule_figures", "_capsule_errors",
    "_capsule_stacks", "_capsule_loop", "_capsule_interrupt", "_capsule_fresh", "_capsule_metrics", "_capsule_compile",
    "_capsule_run", "capsule"))

_PROGRAM = "<string>"  # what a program without a file is called

_sources = {}  # file name -> (characters, linecache entry, code objects), oldest first
_kept_chars = 0  # of all of them


def keep_source(filename, lines):
    """Tracebacks and inspect.getsource find the program's text under `filename`."""
    global _kept_chars
    lines = [line if len(line) <= _MAX_SOURCE_LINE_CHARS else line[:_MAX_SOURCE_LINE_CHARS] + "\n" for line in lines]
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    size = sum(map(len, lines))
    forget_source(filename)
    entry = (size, None, lines, filename)
    _sources[filename] = (size, entry, [])
    _kept_chars += size
    linecache.cache[filename] = entry
    while len(_sources) > 1 and (len(_sources) > _MAX_SOURCES or _kept_chars > _MAX_SOURCE_CHARS):
        forget_source(next(iter(_sources)))


def keep_code(filename, code):
    """`code` is what `filename` was compiled to: only its frames show the text kept under that name."""
    _sources[filename][2].append(code)


def forget_source(filename):
    global _kept_chars
    old = _sources.pop(filename, None)
    if old is None:
        return
    _kept_chars -= old[0]
    if linecache.cache.get(filename) is old[1]:
        del linecache.cache[filename]


def is_own(frame):
    return _module_of(frame) in OWN_MODULES


def is_plumbing(frame):
    """Frames of ours and of the event loop, between which and the program nobody of the program's stands."""
    name = _module_of(frame)
    return name in OWN_MODULES or name.startswith("asyncio.") or name == "selectors"


def _module_of(frame):
    name = frame.f_globals.get("__name__")
    return name if type(name) is str else ""


def _without_own_frames(tb):
    """Drops our frames at the top, with the event loop's behind them, and the interrupt handler's at the bottom."""
    if is_own(tb.tb_frame):
        while tb is not None and is_plumbing(tb.tb_frame):
            tb = tb.tb_next
    last_user = link = tb
    while link is not None:
        if link.tb_frame.f_code.co_name != "_on_interrupt" or not is_own(link.tb_frame):
            last_user = link
        link = link.tb_next
    if last_user is not None:
        last_user.tb_next = None
    return tb


def strip(error):
    """Takes our frames out of `error` and of everything chained to it."""
    todo, seen = [error], set()
    while todo and len(seen) < _MAX_CHAIN:
        item = todo.pop()
        if item is None or id(item) in seen:
            continue
        seen.add(id(item))
        tb = _traceback_of(item)
        if tb is not None:
            BaseException.__traceback__.__set__(item, _without_own_frames(tb))
        todo += _cause_of(item), _context_of(item)
        if issubclass(type(item), BaseExceptionGroup):
            todo.extend(_members_of(item)[:_MAX_CHAIN])


# Past what a class of the program may have put over them.
_traceback_of = BaseException.__traceback__.__get__
_cause_of = BaseException.__cause__.__get__
_context_of = BaseException.__context__.__get__
_members_of = BaseExceptionGroup.exceptions.__get__


def describe(error):
    """{"name", "value", "traceback": lines}. Runs code of the program (__str__); raises nothing but an interrupt."""
    try:
        strip(error)
        value = _value(error)  # first: the traceback module swallows interrupts
        return {"name": _name(error), "value": value, "traceback": format_lines(error)}
    except Exception:
        return describe_blindly(error)


def describe_blindly(error):
    """The same without running any code of the program: for an error that cannot be asked."""
    name = type(error).__name__
    return {"name": name, "value": "", "traceback": _bounded(clean(_frames(error) + name))}


def _name(error):
    return clean(str(type(error).__name__))[:_MAX_VALUE_CHARS]


def _value(error):
    try:
        value = str(error)
    except Exception:
        return "<exception str() failed>"
    return clean(value[:_MAX_VALUE_CHARS])


def clean(text):
    """Text that UTF-8 can carry."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def format_lines(error):
    """The traceback as CPython prints it, one entry a line, bounded: head and tail are kept."""
    _restore_sources()
    if issubclass(type(error), SyntaxError):
        _shorten(error)
    try:
        text = "".join(_structured(error).format())
    except Exception:
        # Groups nested too deep, or a metaclass that raises: more than the traceback module takes.
        text = f"{_frames(error)}{_name(error)}: {_value(error)}"
    return _bounded(clean(text))


def _structured(error):
    shown = traceback.TracebackException(type(error), error, _traceback_of(error), compact=True)
    if _PROGRAM in _sources:
        _blank_foreign_lines(shown, error)
    return shown


def _frames(error):
    lines = ["Traceback (most recent call last):\n"]
    lines += traceback.StackSummary.extract(traceback.walk_tb(_traceback_of(error))).format()
    return "".join(lines)


def _restore_sources():
    for filename, (_, entry, _) in _sources.items():  # the program may have called linecache.clearcache()
        linecache.cache.setdefault(filename, entry)


def _blank_foreign_lines(shown, error):
    """exec("...") inside a program is called <string> too, but is not the text that was sent under that name."""
    own = set()
    todo = list(_sources[_PROGRAM][2])
    while todo:
        code = todo.pop()
        own.add(code)
        todo.extend(item for item in code.co_consts if type(item) is type(code))
    chain = [(shown, error)]
    for shown, error in chain:
        if shown is None or error is None or len(chain) > _MAX_CHAIN:
            continue
        for summary, (frame, _) in zip(shown.stack, traceback.walk_tb(_traceback_of(error))):
            if summary.filename == _PROGRAM and frame.f_code not in own:
                summary._line = ""
        chain += (shown.__cause__, _cause_of(error)), (shown.__context__, _context_of(error))


def _shorten(error):
    """A window around the error, when the offending line is long."""
    text, offset = error.text, error.offset
    if not isinstance(text, str) or not isinstance(offset, int) or len(text) <= _SYNTAX_TEXT_CHARS:
        return
    start = max(0, min(offset, len(text)) - _SYNTAX_TEXT_CHARS // 2)
    window = text[start:start + _SYNTAX_TEXT_CHARS].split("\n")[0]
    error.text, error.offset = window, offset - start
    if isinstance(error.end_offset, int):
        error.end_offset = max(error.offset, min(error.end_offset - start, len(window)))


def _bounded(text):
    lines = text.rstrip("\n").split("\n")
    if len(lines) > _MAX_TRACEBACK_LINES:
        half = _MAX_TRACEBACK_LINES // 2
        lines[half:-half] = [f"  ... {len(lines) - 2 * half} lines left out ..."]
    # Four bytes hold any character: cheaper than encoding, and the room is ample.
    room = _capsule.TRACEBACK_BYTES // 4
    if sum(len(line) + 1 for line in lines) <= room:
        return lines
    text = "\n".join(lines)
    half = (room - 64) // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]}\n  ... {left_out} characters left out ...\n{text[-half:]}".split("\n")


def print_error(error):
    """To stderr, as Python does for what nobody caught."""
    try:
        strip(error)
        print("\n".join(format_lines(error)), file=sys.stderr, flush=True)
    except Exception:
        pass


def _on_thread_error(args, /):
    """threading.excepthook: as the original, which cannot find the source lines of a program without a file."""
    if args.exc_type is SystemExit or sys.stderr is None:
        return
    name = "<unknown>" if args.thread is None else args.thread.name
    print(f"Exception in thread {name}:", file=sys.stderr, flush=True)
    print_error(args.exc_value if args.exc_value is not None else args.exc_type())


threading.excepthook = threading.__excepthook__ = _on_thread_error
