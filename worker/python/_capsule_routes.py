"""Stream types that can tell whose thread is writing, and the threads that outlived their run.

A thread that outlives its run must not write into the next one. When a run ends with threads alive, its pipes are
duplicated and the class of the stream objects is changed in place to one that asks who is writing: threads of an
earlier run get that run's pipes, everybody else the normal ones. When the last such thread is gone the class is
changed back. So a print() costs little extra as long as nobody stays behind, and whoever keeps a reference to a stream
(a logging handler) is routed like everybody else. Only sessions have a next run: one-shot programs print to CPython's
own types.

Not covered: os.write(1, ...) and C code in such a thread. They know no Python streams.
"""
import _thread
import io
import os
import sys
import threading

OUTPUTS = ((1, "<stdout>", "surrogateescape"), (2, "<stderr>", "backslashreplace"))
_MAX_PARTED_RUNS = 4  # of which the pipes are kept; what threads of older runs print goes nowhere

_get_ident = _thread.get_ident
_plain_start_new_thread = _thread.start_new_thread
_left = {}  # thread ident -> the _Parted run that started it
_parted = []  # _Parted, oldest first
_nowhere = None  # a descriptor of /dev/null, once it is needed


class _Bytes(io.BufferedWriter):
    pass


class _Text(io.TextIOWrapper):
    # Every write asks for `closed`. The inherited property costs a tenth of a print(); this is a plain attribute, found
    # fastest as long as the object has none of its own.
    closed = False
    mode = "w"

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
        return parted.attempt(self.index, lambda stream: stream.buffer.write(data), memoryview(data).nbytes)

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
        return parted.attempt(self.buffer.index, lambda stream: stream.write(text), len(text))

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        parted = _left.get(_get_ident())
        if parted is None:
            return super().flush()
        return parted.attempt(self.buffer.index, lambda stream: stream.flush(), None)


class _Parted:
    """The pipes of a finished run that still has threads."""

    def __init__(self, run_id):
        self.run_id = run_id
        self.streams = tuple(_duplicate(fd, errors) for fd, _, errors in OUTPUTS)

    def attempt(self, index, act, otherwise):
        stream = self.streams[index]
        try:
            return otherwise if stream is None else act(stream)
        except (OSError, ValueError):  # nobody reads any more, or the pipe was given up
            return otherwise

    def close(self):
        """No thread is left that could write."""
        for stream in self.streams:
            try:
                if stream is not None:
                    stream.close()
            except (OSError, ValueError):
                pass

    def give_up(self):
        """Threads are left, but the pipes are not kept. A thread may be stuck in a write: nothing here waits for it."""
        global _nowhere
        try:
            if _nowhere is None:
                _nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            for stream in self.streams:
                if stream is not None:
                    stream.buffer.raw.__init__(_nowhere, "wb", closefd=False)
        except OSError:
            pass  # no descriptor left: the pipes stay open until the threads are gone


def _duplicate(fd, errors):
    try:
        return writer(os.dup(fd), errors, closefd=True)
    except OSError:  # closed by the program, or it has no descriptor left
        return None


def writer(fd, errors, closefd):
    raw = io.FileIO(fd, "wb", closefd=closefd)
    return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", errors, newline="\n", line_buffering=True)


def plain_writer(index):
    """A stream on descriptor OUTPUTS[index], of CPython's own types. It does not own the number."""
    fd, name, errors = OUTPUTS[index]
    stream = writer(fd, errors, closefd=False)
    stream.buffer.raw.name = name
    stream.mode = "w"
    return stream


def routable_writer(index):
    """The same, but part_with_threads() can change its class."""
    fd, name, errors = OUTPUTS[index]
    raw = io.FileIO(fd, "wb", closefd=False)
    raw.name = name
    buffer = _Bytes(raw)
    buffer.index = index
    stream = _Text(buffer, "utf-8", errors, newline="\n", line_buffering=True)
    if _left:
        _change_classes(stream, _RoutedText, _RoutedBytes)
    return stream


def part_with_threads(run_id, streams):
    """The run ends while other threads are alive: those that no earlier run left are its own from now on."""
    me = _get_ident()
    new = [ident for ident in sys._current_frames() if ident != me and ident not in _left]
    if not new:
        return
    parted = _Parted(run_id)
    _parted.append(parted)
    if len(_parted) > _MAX_PARTED_RUNS:
        _parted.pop(0).give_up()
    _left.update((ident, parted) for ident in new)
    for stream in streams:
        _change_classes(stream, _RoutedText, _RoutedBytes)
    _thread.start_new_thread = threading._start_new_thread = _start_new_thread


def forget_dead_threads(streams):
    """To be called before a run: closes pipes that nobody can write to any more."""
    if not _left:
        return
    alive = sys._current_frames()
    for ident in [ident for ident in _left if ident not in alive]:
        _left.pop(ident, None)
    in_use = set(map(id, _left.values()))
    for parted in [parted for parted in _parted if id(parted) not in in_use]:
        _parted.remove(parted)
        parted.close()
    if not _left:
        _thread.start_new_thread = threading._start_new_thread = _plain_start_new_thread
        for stream in streams:
            _change_classes(stream, _Text, _Bytes)


def run_of_thread():
    """The run that left the calling thread behind, or None."""
    parted = _left.get(_get_ident())
    return None if parted is None else parted.run_id


def _start_new_thread(function, args, kwargs={}, /):
    # A thread belongs to the run of the thread that starts it. Every new one says so: idents are used again.
    parted = _left.get(_get_ident())

    def run():
        if parted is None:
            _left.pop(_get_ident(), None)
        else:
            _left[_get_ident()] = parted
        function(*args, **kwargs)

    return _plain_start_new_thread(run, ())


def _change_classes(stream, text_class, bytes_class):
    try:
        stream.buffer.__class__ = bytes_class
        stream.__class__ = text_class
    except (ValueError, AttributeError):
        pass  # detached by the program; flush() puts a new one in its place
