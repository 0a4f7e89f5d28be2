"""Puts the payload of a durable checkpoint back into a namespace. Unpickling runs code: only ever called in a worker.

What cannot be restored costs only itself, and what it alone brought along.
"""
import _pickle
import io
import json

import _capsule_checkpoint as checkpoint
import _capsule_checkpoint_meta as meta
import _capsule_rebuild as rebuild
import _capsule_run

_REBUILT_ENTRIES = 50_000_000  # of the memo, moved to new unpicklers after failures; then the rest is given up
_HARVEST_BYTES = 1 << 20  # of a record that failed: what is beyond is not looked through


def load(fd, namespace):
    """Reads to the end. The report: names (how many were restored), failed and incomplete (name, reason; bounded),
    failed_count, missing (modules and classes that were not to be had), whole (False: the payload ended early)."""
    loader = _Loader(fd, namespace)
    rebuild.begin(namespace)
    own_builtins = namespace.get("__builtins__")
    try:
        while loader.next_record():
            pass
    finally:
        if own_builtins is not None:
            namespace["__builtins__"] = own_builtins
    return loader.report()


def load_session(fd):
    """What the worker calls: into the namespace of its programs, with the report as JSON."""
    report = load(fd, _capsule_run.session_namespace())
    return json.dumps(report, separators=(",", ":")).encode("utf-8", "backslashreplace")


class _Records(io.RawIOBase):
    """The file under the unpickler: one record, without the chunk headers."""

    def __init__(self, fd):
        self._file = open(fd, "rb", buffering=1 << 20, closefd=False)
        self._left = 0  # of the chunk
        self._ended = True  # the record
        self._kept = []  # what was read of the record, up to a limit
        self._kept_bytes = 0

    def header(self):
        """(kind, entries of the memo before it, name) or None at the end."""
        self.skip()
        head = self._file.read(checkpoint.RECORD.size)
        if not head:
            return None
        kind, memo_before, size = checkpoint.RECORD.unpack(self._exactly(head, checkpoint.RECORD.size))
        name = self._exactly(self._file.read(size), size).decode("utf-8", "surrogatepass")
        self._ended, self._left = False, 0
        self._kept.clear()
        self._kept_bytes = 0
        return kind, memo_before, name

    def read(self, size=-1):
        if 0 <= size <= self._left:
            self._left -= size
            return self._keep(self._exactly(self._file.read(size), size))
        into = bytearray(size)
        return bytes(into[:self.readinto(into)])

    def readinto(self, into):
        view, done = memoryview(into).cast("B"), 0
        while done < len(view) and self._fill():
            count = self._file.readinto(view[done:done + self._left])
            if not count:
                raise EOFError("the payload ends in the middle of a record")
            done += count
            self._left -= count
        self._keep(view[:done])
        return done

    def readline(self):
        line = b""
        while not line.endswith(b"\n") and self._fill():
            line += self.read(1)
        return line

    def _fill(self):
        """Whether there is something left of the record."""
        while self._left == 0 and not self._ended:
            size = checkpoint.CHUNK.size
            self._left = checkpoint.CHUNK.unpack(self._exactly(self._file.read(size), size))[0]
            if self._left in (checkpoint.END_OF_RECORD, checkpoint.BROKEN_RECORD):
                self._left, self._ended = 0, True
        return not self._ended

    def skip(self):
        """The rest of the record. Returns all of the record, or as much as is kept."""
        while self._fill():
            self.read(min(self._left, 1 << 20))
        return b"".join(self._kept)

    def _keep(self, data):
        if self._kept_bytes < _HARVEST_BYTES:
            self._kept.append(bytes(data[:_HARVEST_BYTES - self._kept_bytes]))
            self._kept_bytes += len(self._kept[-1])
        return data

    def _exactly(self, data, size):
        if len(data) != size:
            raise EOFError("the payload ends in the middle of a record")
        return data


class _Unpickler(_pickle.Unpickler):
    def __init__(self, file, kept=()):
        super().__init__(file)
        self._kept = kept

    def find_class(self, module, name):
        try:
            return super().find_class(module, name)
        except Exception as error:
            return rebuild.missing(module, name, error)

    def persistent_load(self, index):
        return self._kept[index]


class _Loader:
    def __init__(self, fd, namespace):
        self._records = _Records(fd)
        self._source = _Switch(self._records)
        self._unpickler = _Unpickler(self._source)
        self._namespace = namespace
        self._broken = None  # what failed: (entries of the memo before it, its name, what its bytes say)
        self._rebuilt = 0
        self._restored = self._failed_count = 0
        self._failed, self._incomplete, self._missing = [], [], {}
        self._whole = True

    def next_record(self):
        try:
            header = self._records.header()
        except EOFError:
            self._whole = False
            return False
        if header is None:
            return False
        kind, memo_before, name = header
        if kind == checkpoint.PREAMBLE_RECORD:
            self._unpickler.load()
            return True
        value, reason = self._load(memo_before, name)
        if reason is None:
            reason = self._place(kind, name, value)
        if reason is not None and kind == checkpoint.VALUE_RECORD:
            self._failed_count += 1
            _note(self._failed, name, reason)
        return True

    def report(self):
        return {"names": self._restored, "failed": self._failed, "failed_count": self._failed_count,
                "incomplete": self._incomplete, "missing": list(self._missing)[:meta.LISTED_MAX],
                "whole": self._whole}

    def _load(self, memo_before, name):
        """(value, None) or (None, why not)"""
        if self._broken is not None and not self._repair(memo_before):
            return None, "too many names before it could not be restored"
        try:
            value = self._unpickler.load()[2]
            return value, None
        except BaseException as error:
            self._break(memo_before, name)
            if type(error) is RecursionError:
                return None, "it is nested too deeply"
            return None, meta.brief(error)

    def _break(self, memo_before, name):
        try:
            self._broken = (memo_before, name, self._records.skip())
        except EOFError:
            self._broken = (memo_before, name, b"")  # the next header says that it ended early

    def _repair(self, memo_before):
        """A new unpickler with the memo as the one that wrote this record had it. What the failed record would have
        added and was not of its own making (texts, classes and functions of modules) is taken from its bytes; the rest
        is filled with something that says so."""
        valid, name, pickled = self._broken
        self._rebuilt += memo_before
        if self._rebuilt > _REBUILT_ENTRIES:
            return False
        memo = self._unpickler.memo.copy()
        lost = rebuild.missing("the checkpoint", name, RuntimeError("it could not be restored"))()
        rebuild.take_missing()
        kept = [memo[index] if index < valid else lost for index in range(memo_before)]
        for index, value in _harvest(pickled, valid, memo, self._unpickler):
            if index < memo_before:
                kept[index] = value
        self._unpickler = _Unpickler(self._source, kept)
        entries = (b"J" + index.to_bytes(4, "little") + b"Q\x940" for index in range(memo_before))
        self._source.file = io.BytesIO(b"\x80\x05" + b"".join(entries) + b"N.")
        self._unpickler.load()
        self._source.file = self._records
        self._broken = None
        return True

    def _place(self, kind, name, value):
        missing = rebuild.take_missing()
        self._missing.update(dict.fromkeys(missing))
        if kind == checkpoint.STATE_RECORD:
            return _restore_state(name, value, self._namespace)
        self._namespace[name] = value  # a placeholder too: its use then says what is wrong
        if rebuild.is_placeholder(value):
            return missing[0] if missing else rebuild.why_missing(value)
        self._restored += 1
        if missing:
            _note(self._incomplete, name, missing[0])
        return None


def _harvest(pickled, memo_before, memo, unpickler):
    """(index, value) for the entries that a record gives the memo and that do not depend on its code having run."""
    import pickletools  # needed by few, and it takes long
    found = {index: value for index, value in memo.items() if index < memo_before and type(value) is str}
    index, texts = memo_before, []
    try:
        for opcode, argument, _ in pickletools.genops(pickled):
            if opcode.name == "MEMOIZE":
                if texts and texts[-1] is not None:
                    found[index] = texts[-1]
                    yield index, texts[-1]
                index += 1
            elif opcode.name in ("BINGET", "LONG_BINGET"):
                texts = [*texts[-1:], found.get(argument)]
            elif opcode.name == "STACK_GLOBAL" and len(texts) == 2 and all(type(each) is str for each in texts):
                texts = [unpickler.find_class(*texts)]
            else:
                texts = [*texts[-1:], argument if type(argument) is str else None]
    except ValueError:  # cut off where it was no longer kept
        return


class _Switch:
    """A file that can be exchanged under an unpickler, which looks its methods up only once."""

    def __init__(self, file):
        self.file = file

    def read(self, size):
        return self.file.read(size)

    def readinto(self, into):
        return self.file.readinto(into)

    def readline(self):
        return self.file.readline()


def _restore_state(name, value, namespace):
    try:
        if name == "annotations":
            namespace.setdefault("__annotations__", {}).update(value)
        elif name == "random":
            import random
            random.setstate(value)
        elif name == "numpy.random":
            import numpy.random
            numpy.random.set_state(value)
    except Exception as error:
        return meta.brief(error)
    return None


def _note(notes, name, reason):
    if len(notes) < meta.LISTED_MAX:
        notes.append({"name": meta.cut(name), "reason": meta.cut(reason, 300)})
