"""sys.stdin, sys.stdout and sys.stderr of a worker, on descriptors 0, 1 and 2.

The worker puts each run's own pipes on these numbers before the run starts, so the stream objects live as long as the
worker: whoever kept a reference (a logging handler) goes on writing to the run of the day. They are CPython's own
stream types and as fast.

A thread that outlives its run must not write into the next one. When a run ends with threads alive, its pipes are
duplicated and the class of the stream objects is changed in place to one that asks who is writing: threads of an
earlier run get that run's pipes, everybody else the normal ones. When the last such thread is gone the class is
changed back. Not covered: raw os.write(1, ...) and C code in such a thread, which know no Python streams.
"""
import _thread
import io
import os
import sys
import threading

_MAX_PARTED_RUNS = 4  # of which the pipes are kept; what threads of older runs print goes nowhere

_get_ident = _thread.get_ident
_left = {}  # thread ident -> the _Parted run it was started by
_parted = []  # _Parted, oldest first
_out = _err = None
_input_dirty = False  # sys.stdin may hold bytes that belong to an earlier run


class _Bytes(io.BufferedWriter):
    pass


class _Text(io.TextIOWrapper):
    # Every write asks for `closed`. The inherited property costs a tenth of a print(); this is a plain attribute.
    closed = False

    def close(self):
        try:
            super().close()
        finally:
            self.closed = True


class _RoutedBytes(_Bytes):
    def write(self, data):
        parted = _left.get(_get_ident())
        if parted is None:
            return super().write(data)
        return parted.attempt(self.index, lambda stream: stream.buffer.write(data), len(data))

    def flush(self):
        parted = _left.get(_get_ident())
        if parted is None:
            return super().flush()
        return parted.attempt(self.index, lambda stream: stream.buffer.flush(), None)


class _RoutedText(_Text):
    def write(self, text):
        parted = _left.get(_get_ident())
        if parted is None:
            return super().write(text)
        return parted.attempt(self.index, lambda stream: stream.write(text), len(text))

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        parted = _left.get(_get_ident())
        if parted is None:
            return super().flush()
        return parted.attempt(self.index, lambda stream: stream.flush(), None)

    def fileno(self):
        parted = _left.get(_get_ident())
        return super().fileno() if parted is None else parted.streams[self.index].fileno()


class _Parted:
    """The pipes of a finished run that still has threads."""

    def __init__(self, run_id):
        self.run_id = run_id
        self.streams = tuple(_writer(os.dup(fd), errors, True) for fd, errors in _OUTPUTS)

    def attempt(self, index, act, otherwise):
        try:
            return act(self.streams[index])
        except (OSError, ValueError):  # nobody reads any more, or the pipe was given up
            return otherwise

    def close(self):
        for stream in self.streams:
            try:
                stream.close()
            except (OSError, ValueError):
                pass


_OUTPUTS = ((1, "surrogateescape"), (2, "backslashreplace"))


def _writer(fd, errors, closefd):
    raw = io.FileIO(fd, "wb", closefd=closefd)
    return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", errors, newline="\n", line_buffering=True)


def _std_writer(index):
    fd, errors = _OUTPUTS[index]
    raw = io.FileIO(fd, "wb", closefd=False)
    raw.name = ("<stdout>", "<stderr>")[index]
    buffer = _Bytes(raw)
    stream = _Text(buffer, "utf-8", errors, newline="\n", line_buffering=True)
    stream.mode = "w"
    stream.index = buffer.index = index
    if _left:
        _route(stream)
    return stream


def _std_reader():
    raw = io.FileIO(0, "rb", closefd=False)
    raw.name = "<stdin>"
    stream = io.TextIOWrapper(io.BufferedReader(raw), "utf-8", "surrogateescape")
    stream.mode = "r"
    return stream


def install():
    """Once per worker, after the fork."""
    _renew_output(0)
    _renew_output(1)
    _renew_input()


def _renew_output(index):
    """A new stream in place of one that a program closed or broke. What it still held is lost."""
    global _out, _err
    old = (_out, _err)[index]
    name = ("stdout", "stderr")[index]
    new = _std_writer(index)
    if getattr(sys, name, None) in (None, old, getattr(sys, f"__{name}__", None)):
        setattr(sys, name, new)
    setattr(sys, f"__{name}__", new)
    if index == 0:
        _out = new
    else:
        _err = new
    if old is not None:
        _silence(old)


def _renew_input():
    old = sys.__stdin__
    new = _std_reader()
    if sys.stdin in (None, old) or _is_closed(sys.stdin):
        sys.stdin = new
    sys.__stdin__ = new


def _silence(stream):
    """Makes sure that bytes stuck in a broken stream never reach a later run."""
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


def _is_closed(stream):
    try:
        return bool(stream.closed)
    except Exception:
        return False  # not a file: the program's own business


def begin_run(standard_input):
    """The pipes of a new run are in place."""
    global _input_dirty
    if _left:
        _forget_the_dead()
    if standard_input or _input_dirty:
        _renew_input()
    _input_dirty = standard_input


def flush():
    """Everything Python holds goes to the pipes. Errors of a stream cost that stream, never the caller."""
    out, err = sys.stdout, sys.stderr
    for stream in (out, err):
        if stream is not _out and stream is not _err and stream is not None:
            try:
                stream.flush()
            except Exception:
                pass  # a program's own stream
    for index in (0, 1):
        try:
            _flush_own((_out, _err)[index])
        except (OSError, ValueError):  # closed by the program, or its descriptor is
            _renew_output(index)


def _flush_own(stream):
    if stream is None:  # not installed: the zygote
        return
    try:
        stream.flush()
    except BlockingIOError:  # the program made its pipe non-blocking
        os.set_blocking(stream.fileno(), True)
        stream.flush()


def end_run():
    """Undoes what would make the next run mute: streams that are None or closed."""
    for index, name in enumerate(("stdout", "stderr")):
        own = (_out, _err)[index]
        if own is not None and own.closed:
            _renew_output(index)
        stream = getattr(sys, name, None)
        if stream is None or _is_closed(stream):
            setattr(sys, name, (_out, _err)[index])
    stream = getattr(sys, "stdin", None)
    if stream is None or _is_closed(stream):
        _renew_input()
        sys.stdin = sys.__stdin__


def part_with_threads(run_id):
    """The run ends and other threads are alive: those that no earlier run left are its own from now on."""
    me = _get_ident()
    new = [ident for ident in sys._current_frames() if ident != me and ident not in _left]
    if not new:
        return
    parted = _Parted(run_id)
    _parted.append(parted)
    if len(_parted) > _MAX_PARTED_RUNS:
        _parted.pop(0).close()
    for ident in new:
        _left[ident] = parted
    for stream in (_out, _err):
        _route(stream)
    _thread.start_new_thread = threading._start_new_thread = _start_new_thread


def run_of_thread():
    """The run that left the calling thread behind, or None."""
    parted = _left.get(_get_ident())
    return None if parted is None else parted.run_id


_plain_start_new_thread = _thread.start_new_thread


def _start_new_thread(function, args, kwargs={}, /):
    # A thread belongs to the run of the thread that starts it; and idents are used again.
    parted = _left.get(_get_ident())

    def run():
        if parted is None:
            _left.pop(_get_ident(), None)
        else:
            _left[_get_ident()] = parted
        function(*args, **kwargs)

    return _plain_start_new_thread(run, ())


def _route(stream):
    try:
        stream.buffer.__class__ = _RoutedBytes
        stream.__class__ = _RoutedText
    except (ValueError, AttributeError):
        pass  # detached by the program; flush() replaces it


def _forget_the_dead():
    alive = sys._current_frames()
    for ident in [ident for ident in _left if ident not in alive]:
        _left.pop(ident, None)
    in_use = set(map(id, _left.values()))
    for parted in [parted for parted in _parted if id(parted) not in in_use]:
        _parted.remove(parted)
        parted.close()
    if _left:
        return
    _thread.start_new_thread = threading._start_new_thread = _plain_start_new_thread
    for stream in (_out, _err):
        try:
            stream.buffer.__class__ = _Bytes
            stream.__class__ = _Text
        except (ValueError, AttributeError):
            pass


class Nowhere:
    """Context: what is printed goes nowhere. For warming up the very objects that runs will use."""

    def __enter__(self):
        self.fd = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self.saved = sys.stdout, sys.stderr
        if _out is None:
            sys.stdout = sys.stderr = _writer(self.fd, "replace", False)
        else:
            self._point(self.fd, self.fd)

    def __exit__(self, *_):
        flush()
        if _out is not None:
            self._point(1, 2)
        sys.stdout, sys.stderr = self.saved
        os.close(self.fd)

    def _point(self, out_fd, err_fd):
        for stream, fd, name in ((_out, out_fd, "<stdout>"), (_err, err_fd, "<stderr>")):
            stream.buffer.raw.__init__(fd, "wb", closefd=False)
            stream.buffer.raw.name = name
