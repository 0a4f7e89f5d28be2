"""Exceptions as results: name, value and traceback as Python prints them, with the program's own frames only.

Whatever a program raises is hostile: __str__ may raise, chains may be cyclic, messages may be huge. Everything is
bounded here, and the worst case is a short report, never an exception.
"""
import linecache
import sys
import traceback

import _capsule

_MAX_VALUE_CHARS = 64 << 10
_MAX_TRACEBACK_LINES = 2000
_MAX_CHAIN = 1000  # exceptions of one chain or group that are looked at
_MAX_SOURCES = 256
_MAX_SOURCE_BYTES = 16 << 20  # of all kept sources together
_MAX_SOURCE_LINE_CHARS = 16 << 10
_SYNTAX_TEXT_CHARS = 240  # of an offending line, when it is longer than that

OWN_MODULES = frozenset(
    ("_capsule_streams", "_capsule_bundle", "_capsule_errors", "_capsule_interrupt", "_capsule_fresh", "_capsule_run",
     "capsule"))

_sources = {}  # file name -> (bytes, linecache entry, code objects), oldest first


def keep_source(filename, text):
    """Tracebacks and inspect.getsource find the program's text under `filename`."""
    lines = [line if len(line) <= _MAX_SOURCE_LINE_CHARS else line[:_MAX_SOURCE_LINE_CHARS] + "\n"
             for line in text.splitlines(True)]
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    forget_source(filename)
    entry = (len(text), None, lines, filename)
    _sources[filename] = (len(text), entry, [])
    linecache.cache[filename] = entry
    while len(_sources) > 1 and (len(_sources) > _MAX_SOURCES or _kept_bytes() > _MAX_SOURCE_BYTES):
        forget_source(next(iter(_sources)))


def keep_code(filename, code):
    """`code` is what `filename` was compiled to: only its frames show the text kept under that name."""
    _sources[filename][2].append(code)


def _kept_bytes():
    return sum(size for size, _, _ in _sources.values())


def forget_source(filename):
    old = _sources.pop(filename, None)
    if old is not None and linecache.cache.get(filename) is old[1]:
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
    while tb is not None and is_plumbing(tb.tb_frame):
        tb = tb.tb_next
    last_user, link = tb, tb
    while link is not None:
        if link.tb_frame.f_code.co_name not in ("_on_interrupt", "check") or not is_own(link.tb_frame):
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
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        tb = BaseException.__traceback__.__get__(item)
        if tb is not None and is_own(tb.tb_frame):
            BaseException.__traceback__.__set__(item, _without_own_frames(tb))
        todo.append(BaseException.__cause__.__get__(item))
        todo.append(BaseException.__context__.__get__(item))
        if isinstance(item, BaseExceptionGroup):
            todo.extend(BaseExceptionGroup.exceptions.__get__(item)[:_MAX_CHAIN])


def describe(error):
    """{"name", "value", "traceback": lines}. Runs code of the program (__str__); raises nothing but an interrupt."""
    try:
        strip(error)
        lines = format_lines(error)
        return {"name": _name(error), "value": _value(error), "traceback": lines}
    except Exception as failure:
        return {"name": type(error).__name__, "value": "", "traceback": [
            "Traceback (most recent call last):",
            f"  <cannot be shown: {type(failure).__name__}>", type(error).__name__]}


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
    if isinstance(error, SyntaxError):
        _shorten(error)
    try:
        text = "".join(_structured(error).format())
    except Exception:
        text = _plainly(error)
    return _bounded(clean(text))


def _structured(error):
    tb = error.__traceback__
    shown = traceback.TracebackException(type(error), error, tb, compact=True)
    if "<string>" in _sources:
        _blank_foreign_lines(shown.stack, tb)
    return shown


def _plainly(error):
    """For what the traceback module itself chokes on: groups nested too deep, metaclasses that raise."""
    lines = ["Traceback (most recent call last):\n"]
    lines += traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__)).format()
    return "".join(lines) + f"{_name(error)}: {_value(error)}\n"


def _restore_sources():
    for filename, (_, entry, _) in _sources.items():  # the program may have called linecache.clearcache()
        linecache.cache.setdefault(filename, entry)


def _blank_foreign_lines(stack, tb):
    """exec("...") inside a program is called <string> too, but is not the text that was sent as <string>."""
    known = set()
    todo = list(_sources["<string>"][2])
    while todo:
        code = todo.pop()
        known.add(code)
        todo.extend(item for item in code.co_consts if type(item) is type(code))
    for summary, (frame, _) in zip(stack, traceback.walk_tb(tb)):
        if summary.filename == "<string>" and frame.f_code not in known:
            summary._line = ""


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
