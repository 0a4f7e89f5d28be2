"""Writes a session's namespace into a pipe, as the payload of a durable checkpoint. Runs in a copy of the session's
worker that ends afterwards, on its only thread.

One pickler and one memo for all names: what they share stays shared. A name that cannot be pickled costs only itself:
its output is thrown away and the memo is put back to where it was. docs/CHECKPOINTS.md has the format.
"""
import gc
import os
import resource
import signal
import struct
import sys
import time
import types

import _capsule_checkpoint_meta
import _capsule_pickle
import _capsule_run

PAYLOAD_VERSION = 1
SPOOL_BYTES = 64 << 20  # of one name: more is tried first, then sent as it comes
_TICK_SECONDS = 0.25  # how often a name at work is looked at
_STACK_BYTES = 96 << 20  # of the main thread, while it pickles
_RECURSION_LIMIT = 20000  # at most 4 KiB of stack each: tried
_RESTORED_ENTRIES = 2_000_000  # of the memo, put back after failures, before the names left are tried one by one
_RESTORES_MAX = 200  # after that: a name that passes the trial and fails all the same
_NAME_BYTES = 4096  # a longer one is left out

# Frames of the pipe: kind, length of what follows.
_FRAME = struct.Struct(">cQ")
_NAME_FRAME, _DATA_FRAME, _END_FRAME = b"N", b"D", b"M"
# Records of the payload: kind, entries of the memo before it, bytes of the name; then chunks, each after its length.
RECORD = struct.Struct(">cQH")
CHUNK = struct.Struct(">Q")
PREAMBLE_RECORD, VALUE_RECORD, STATE_RECORD = b"P", b"V", b"S"
END_OF_RECORD, BROKEN_RECORD = 0, (1 << 64) - 1

HIDDEN_NAMES = frozenset(("__name__", "__doc__", "__package__", "__loader__", "__spec__", "__annotations__",
                          "__builtins__", "__file__", "__warningregistry__"))
_ATOMS = frozenset((int, float, complex, bool, str, bytes, type(None)))  # pickled without running anybody's code


def save(namespace, fd, leave_out=None, seconds=60.0, stall_seconds=10.0, bytes_max=1 << 40,
         local_directories=("/var/workspace", "/workspace", "/var/tmp", "/tmp")):
    """Returns the metadata, which is also the last frame.

    leave_out: name -> reason, for names that ended an earlier copy. seconds: names that are not reached by then are
    left out. stall_seconds: for a name that gives no output. bytes_max: of the payload; a name that does not fit is
    left out. local_directories: modules from files below them go by value. Raises ImportError without cloudpickle,
    OSError when nobody reads.
    """
    _prepare()
    rules = _capsule_pickle.Rules(namespace, local_directories)
    saver = _Saver(rules, _Output(fd, bytes_max), stall_seconds, seconds)
    try:
        saver.save_all(namespace, leave_out or {})
    finally:
        saver.watch.stop()
    return saver.finish(namespace)


def save_session(fd, leave_out, seconds, stall_seconds, bytes_max):
    """What the worker calls, in a copy of itself: the namespace of its programs."""
    save(_capsule_run.session_namespace(), fd, leave_out, seconds, stall_seconds, bytes_max)


def _prepare():
    gc.disable()
    sys.settrace(None)
    sys.setprofile(None)
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    wanted = _STACK_BYTES if hard == resource.RLIM_INFINITY else min(_STACK_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_STACK, (wanted, hard))
    sys.setrecursionlimit(_RECURSION_LIMIT * wanted // _STACK_BYTES)


class Stalled(BaseException):
    """Raised in the code of an object that has had its time. BaseException: `except Exception` must not keep it."""


class NoRoom(Exception):
    pass


class _Watch:
    """Interrupts a name that makes no progress. Again at each tick, should its code swallow that."""

    def __init__(self, stall_seconds, seconds):
        self.stall_seconds = stall_seconds
        self.end = time.monotonic() + seconds
        self.at_work = False
        self.last_progress = time.monotonic()
        signal.signal(signal.SIGALRM, self._look)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGALRM,))
        signal.setitimer(signal.ITIMER_REAL, _TICK_SECONDS, _TICK_SECONDS)

    def stop(self):
        signal.setitimer(signal.ITIMER_REAL, 0)

    def begin(self):
        self.last_progress = time.monotonic()
        self.at_work = True

    def time_is_up(self):
        return time.monotonic() > self.end

    def _look(self, _signal, _frame):
        now = time.monotonic()
        if not self.at_work:
            return
        if now > self.end:
            raise Stalled("the time for the checkpoint was up")
        if now - self.last_progress > self.stall_seconds:
            raise Stalled(f"nothing came of it for {self.stall_seconds:g} s")


class _Output:
    """The pipe. Small records are sent together; a frame that says which name is at work goes ahead of any that may run
    code, so that the reader knows it should this process die of it."""

    _BATCH_BYTES = 256 << 10

    def __init__(self, fd, bytes_max):
        os.set_blocking(fd, True)
        self.fd = fd
        self.bytes_left = bytes_max
        self.payload_bytes = 0
        self._pid = os.getpid()
        self._batch = []
        self._batch_bytes = 0

    def data(self, *pieces):
        size = sum(map(len, pieces))
        self.payload_bytes += size
        self.bytes_left -= size
        self._put(_FRAME.pack(_DATA_FRAME, size), *pieces)

    def at_work(self, name):
        encoded = name.encode("utf-8", "backslashreplace")[:256]
        self._put(_FRAME.pack(_NAME_FRAME, len(encoded)), encoded)
        self.flush()

    def end(self, metadata):
        self._put(_FRAME.pack(_END_FRAME, len(metadata)), metadata)
        self.flush()

    def _put(self, *pieces):
        self._batch.extend(pieces)
        self._batch_bytes += sum(map(len, pieces))
        if self._batch_bytes >= self._BATCH_BYTES:
            self.flush()

    def flush(self):
        if os.getpid() != self._pid:
            os._exit(0)  # an object's code forked: that copy must not write here
        small = []
        for piece in self._batch:
            if len(piece) < self._BATCH_BYTES:
                small.append(piece)
                continue
            self._write(b"".join(small))
            small.clear()
            self._write(piece)
        self._write(b"".join(small))
        self._batch.clear()
        self._batch_bytes = 0

    def _write(self, piece):
        view = memoryview(piece)
        while view:
            view = view[os.write(self.fd, view):]


class _Record:
    """The file under the pickler: holds what comes of one name until it is whole, or until it is much."""

    def __init__(self, output, watch):
        self._output = output
        self._watch = watch
        self._spool = []
        self._spooled = 0
        self._sent = False  # some of it
        self.on_much = None

    def begin(self, kind, name, on_much):
        self._head = (kind, name)
        self.on_much = on_much

    def write(self, data):
        self._watch.last_progress = time.monotonic()
        if type(data) not in (bytes, bytearray):
            data = data.raw() if hasattr(data, "raw") else memoryview(data).cast("B")
        size = len(data)
        if self._sent:
            self._send(data)
        elif self._spooled + size > min(SPOOL_BYTES, self._output.bytes_left):
            self.on_much(self._output.bytes_left)
            self._send(*self._spool, data)
            self._spool.clear()
        else:
            # What is passed on is not ours to keep; bytes do not change.
            self._spool.append(data if type(data) is bytes else bytes(data))
            self._spooled += size
        return size

    def commit(self):
        if not self._sent:
            self._send(b"".join(self._spool))
        self._output.data(CHUNK.pack(END_OF_RECORD))
        self._reset()

    def discard(self):
        if self._sent:
            self._output.data(CHUNK.pack(BROKEN_RECORD))
        self._reset()

    def _send(self, *pieces):
        if self._sent and sum(map(len, pieces)) + CHUNK.size > self._output.bytes_left:
            raise NoRoom("it turned out larger than at first")
        head = () if self._sent else (self._header(pieces[0]),)
        self._sent = True
        self._output.data(*head, CHUNK.pack(sum(map(len, pieces))), *pieces)
        self._output.flush()

    def _header(self, pickled):
        kind, name = self._head
        encoded = name.encode("utf-8", "surrogatepass")
        return RECORD.pack(kind, _memo_before(pickled), len(encoded)) + encoded

    def _reset(self):
        self._spool.clear()
        self._spooled = 0
        self._sent = False


def _memo_before(pickled):
    """Each record is a tuple of a new list, that list again, and the value: the second one's index is in the bytes.

    PROTO 5, FRAME length, EMPTY_LIST, MEMOIZE, then BINGET or LONG_BINGET (Lib/pickletools.py).
    """
    assert pickled[:3] == b"\x80\x05\x95" and pickled[11:13] == b"]\x94", bytes(pickled[:16])
    return pickled[14] if pickled[13] == 0x68 else int.from_bytes(pickled[14:18], "little")


class _Counter:
    """Stands for the file when a value is only tried."""

    def __init__(self, limit, watch):
        self._left = limit
        self._watch = watch

    def write(self, data):
        self.count(len(data) if type(data) in (bytes, bytearray) else memoryview(data).nbytes)

    def count(self, size):
        self._watch.last_progress = time.monotonic()
        self._left -= size
        if self._left < 0:
            raise NoRoom("it does not fit into what a checkpoint may have")


class _Saver:
    def __init__(self, rules, output, stall_seconds, seconds):
        self.rules = rules
        self.output = output
        self.watch = _Watch(stall_seconds, seconds)
        self.record = _Record(output, self.watch)
        self.pickler = _capsule_pickle.Pickler(self.record, rules)
        self.meta = _capsule_checkpoint_meta.Metadata(rules)
        self.restores = self.restored_entries = 0
        preamble = _capsule_pickle.PREAMBLE
        output.data(RECORD.pack(PREAMBLE_RECORD, 0, 0), CHUNK.pack(len(preamble)), preamble,
                    CHUNK.pack(END_OF_RECORD))

    def save_all(self, namespace, leave_out):
        for name, value in list(namespace.items()):
            if type(name) is str and name in HIDDEN_NAMES:
                continue
            reason = self._why_not(name, leave_out)
            if reason is None:
                before = self.output.payload_bytes
                reason = self._save(VALUE_RECORD, name, value)
            if reason is None:
                self.meta.saved(name, value, self.output.payload_bytes - before)
            else:
                self.meta.left_out(name, value, reason)
        for name, state in _state_of_process(namespace):
            self._save(STATE_RECORD, name, state)

    def finish(self, namespace):
        self.output.flush()
        metadata = self.meta.finish(namespace, self.output.payload_bytes)
        self.output.end(metadata)
        return metadata

    def _why_not(self, name, leave_out):
        if type(name) is not str:
            return "its name is not a text"
        if name in leave_out:
            return leave_out[name]
        if len(name.encode("utf-8", "surrogatepass")) > _NAME_BYTES:
            return f"its name is longer than {_NAME_BYTES} bytes"
        if self.watch.time_is_up():
            return "the time for the checkpoint was up"
        if self.restores > _RESTORES_MAX:
            return "too many names before it changed while they were saved"
        return None

    def _save(self, kind, name, value):
        """None, or why it was left out."""
        is_atom = type(value) in _ATOMS
        if not is_atom:
            self.output.at_work(name)
        if self.restored_entries > _RESTORED_ENTRIES and not is_atom:
            error = self._guard(self._try, value, self.output.bytes_left)
            if error is not None:
                return _describe(error)
        tick = []
        self.record.begin(kind, name, lambda limit: self._try(value, limit))
        error = self._guard(self.pickler.dump, (tick, tick, value))
        if error is None:
            self.record.commit()
            return None
        if isinstance(error, BrokenPipeError):
            raise error
        self._take_back(tick)
        return _describe(error)

    def _guard(self, function, *arguments):
        """The only door to code of the program; what comes out of it, as a value."""
        try:
            self.watch.begin()
            function(*arguments)
            self.watch.at_work = False
        except BaseException as error:
            self.watch.at_work = False
            return error
        return None

    def _try(self, value, limit):
        """Raises what pickling it would. Large buffers are counted and not looked at."""
        counter = _Counter(limit, self.watch)

        def count(buffer):
            counter.count(buffer.raw().nbytes)

        _capsule_pickle.Pickler(counter, self.rules, buffer_callback=count).dump(value)

    def _take_back(self, tick):
        """As if the name had never been tried."""
        self.record.discard()
        memo = self.pickler.memo.copy()
        self.restored_entries += len(memo)
        if self.restored_entries > _RESTORED_ENTRIES:
            self.restores += 1
        if id(tick) in memo:
            before = memo[id(tick)][0]
            self.pickler.memo = {key: entry for key, entry in memo.items() if entry[0] < before}


def _describe(error):
    if type(error) is RecursionError:
        return "it is nested too deeply, or without end"
    if type(error) in (Stalled, NoRoom):
        return str(error)
    return _capsule_checkpoint_meta.brief(error)


def _state_of_process(namespace):
    """What runs go on from besides the namespace."""
    annotations = namespace.get("__annotations__")
    if type(annotations) is dict and annotations:
        yield "annotations", annotations
    for module, key, read in (("random", "random", "getstate"), ("numpy.random.mtrand", "numpy.random", "get_state")):
        loaded = sys.modules.get(module)
        if isinstance(loaded, types.ModuleType):
            try:
                yield key, getattr(loaded, read)()
            except Exception:  # the program replaced it: there is none to keep
                continue
