"""sys.stdin, sys.stdout and sys.stderr of a worker, on descriptors 0, 1 and 2.

The worker puts each run's own pipes on these numbers before the run starts, so the stream objects live as long as the
worker: whoever kept a reference goes on writing to the run of the day. They are CPython's own stream types, or derived
from them. What threads of an earlier run write is kept apart by _capsule_routes.
"""
import io
import os
import sys

import _capsule
import _capsule_routes
from _capsule_routes import run_of_thread  # for whoever sends on behalf of a thread

_out = _err = None  # ours; sys.stdout may be something else
_make_writer = _capsule_routes.plain_writer
_input_dirty = False  # sys.stdin may hold bytes that belong to an earlier run


def install():
    """Once, in the zygote: every worker has its own 0, 1 and 2 under the same numbers."""
    _renew_output(0)
    _renew_output(1)
    _renew_input()


def is_installed():
    return _out is not None


def begin_run(standard_input, in_session):
    """The pipes of a new run are in place."""
    global _input_dirty, _make_writer
    if in_session and _make_writer is _capsule_routes.plain_writer:
        _make_writer = _capsule_routes.routable_writer
        if _out is not None:
            _renew_output(0)
            _renew_output(1)
    _capsule_routes.forget_dead_threads((_out, _err))
    if standard_input or _input_dirty:
        _renew_input()
    _input_dirty = standard_input


def flush():
    """Everything Python holds goes to the pipes. Errors of a stream cost that stream, never the caller."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name, None)
        if stream is not _out and stream is not _err and stream is not None:
            try:
                stream.flush()
            except Exception:
                pass  # a program's own stream
    for index in (0, 1):
        try:
            _flush_own((_out, _err)[index])
        except (OSError, ValueError):  # closed by the program, or its descriptor is
            _silence(_renew_output(index))


def part_with_threads(run_id):
    """See _capsule_routes. To be called before the last flush of a run that leaves threads behind."""
    _capsule_routes.part_with_threads(run_id, (_out, _err))


def end_run():
    """Undoes what would make the next run mute: descriptors and streams that are closed, streams that are None."""
    if not _capsule.has_standard_descriptors():
        for fd in (0, 1, 2):
            _on_descriptor(fd, lambda: os.fstat(fd))  # else the next file opened would get the number
    for index, name in enumerate(("stdout", "stderr")):
        own = (_out, _err)[index]
        if own is not None and own.closed:
            _silence(_renew_output(index))
        if _is_useless(getattr(sys, name, None)):
            setattr(sys, name, (_out, _err)[index])
    if _is_useless(getattr(sys, "stdin", None)):
        _renew_input()


def _renew_output(index):
    """A new stream in place of the old one, which is returned."""
    global _out, _err
    old = (_out, _err)[index]
    name = ("stdout", "stderr")[index]
    new = _on_descriptor(index + 1, lambda: _make_writer(index))
    current = getattr(sys, name, None)
    if current is None or current is old or current is getattr(sys, f"__{name}__", None):
        setattr(sys, name, new)
    setattr(sys, f"__{name}__", new)
    if index == 0:
        _out = new
    else:
        _err = new
    return old


def _renew_input():
    old = sys.__stdin__
    new = _on_descriptor(0, _reader)
    current = getattr(sys, "stdin", None)
    if current is old or _is_useless(current):
        sys.stdin = new
    sys.__stdin__ = new


def _reader():
    raw = io.FileIO(0, "rb", closefd=False)
    raw.name = "<stdin>"
    stream = io.TextIOWrapper(io.BufferedReader(raw), "utf-8", "surrogateescape")
    stream.mode = "r"
    return stream


def _on_descriptor(fd, make):
    try:
        return make()
    except OSError:  # closed by the program; until the next run's pipe comes, nowhere
        nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        if nowhere != fd:
            os.dup2(nowhere, fd)
            os.close(nowhere)
        return make()


def _flush_own(stream):
    if stream is None:  # not installed: the zygote
        return
    try:
        stream.flush()
    except BlockingIOError:  # the program made its pipe non-blocking
        os.set_blocking(stream.fileno(), True)
        stream.flush()


def _silence(stream):
    """Makes sure that bytes stuck in a broken stream never reach a later run; they are lost."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        try:
            stream.buffer.raw.__init__(nowhere, "wb", closefd=False)
            stream.flush()
            stream.buffer.raw.close()
        finally:
            os.close(nowhere)
    except (OSError, ValueError, AttributeError):
        pass


def _is_useless(stream):
    try:
        return stream is None or bool(stream.closed)
    except Exception:
        return False  # not a file: the program's own business


class Nowhere:
    """Context: what is printed goes nowhere. For warming up the very objects that runs will use."""

    def __enter__(self):
        self._fd = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self._saved = sys.stdout, sys.stderr
        if _out is None:
            sys.stdout = sys.stderr = _capsule_routes.writer(self._fd, "replace", closefd=False)
        else:
            self._point(self._fd, self._fd)

    def __exit__(self, *_):
        flush()
        if _out is not None:
            self._point(1, 2)
        sys.stdout, sys.stderr = self._saved
        os.close(self._fd)

    def _point(self, out_fd, err_fd):
        for stream, fd, (_, name, _) in zip((_out, _err), (out_fd, err_fd), _capsule_routes.OUTPUTS):
            stream.buffer.raw.__init__(fd, "wb", closefd=False)
            stream.buffer.raw.name = name
