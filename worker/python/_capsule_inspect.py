"""What is in a session's namespace, for who looks at it from outside: names, types, sizes. Never values.

No code of the program runs: what an object is comes from C (its type, descriptors that are C's own, instance
dictionaries), and what only a class of the program could tell is not told. The caller keeps the garbage collector off,
which would run finalisers. Of numpy and pandas no function is called either: a program may have replaced it.
"""
import _heapq
import _json
import _sha256
import sys
import time
import types

import _capsule_run

_NAMES = 1000  # told one by one, the largest; the others are counted
_SECONDS = 0.25
_LOOKS = 64  # names between two looks at the clock
_CHARS = 120  # of a name or a type
_DIMENSIONS = 8
_HASH_CHARS = 32

_HEAP_TYPE, _TYPE_SUBCLASS = 1 << 9, 1 << 31  # Py_TPFLAGS_*
_DESCRIPTORS = (types.GetSetDescriptorType, types.MemberDescriptorType)
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType)
_WITH_LENGTH = (str, bytes, bytearray, list, tuple, dict, set, frozenset, range)
_KINDS = ("function", "class", "module", "data")
_LETTERS = {"b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex", "M": "datetime", "m": "timedelta",
            "S": "bytes", "U": "str", "V": "void", "O": "object"}  # dtype.kind

_attributes_of = type.__dict__["__dict__"].__get__
_flags_of = type.__dict__["__flags__"].__get__
_lineage_of = type.__dict__["__mro__"].__get__
_name_of = type.__dict__["__qualname__"].__get__
_module_of = type.__dict__["__module__"].__get__
_basic_size = object.__sizeof__
_full_size = sys.getsizeof
_now = time.monotonic


def inspect_session(hashed):
    """What the worker calls. JSON, as bytes."""
    return _encode(inspect(_capsule_run.session_namespace(), hashed)).encode("ascii")


def inspect(namespace, hashed):
    """The document: see docs/OPERATIONS.md, `capsule inspect SESSION`."""
    kinds = dict.fromkeys(_KINDS, 0)
    largest = []  # a heap of (bytes, -order, name, value), so that the smallest goes first and values never compare
    incomplete, total_bytes, order, until = None, 0, 0, _now() + _SECONDS
    try:
        for name, value in namespace.items():
            if type(name) is str and name in _capsule_run._HIDDEN_NAMES:
                continue
            order += 1
            kinds[_kind_of(value)] += 1
            size = _size_of(value)
            total_bytes += size
            entry = (size, -order, name, value)
            if len(largest) < _NAMES:
                _heapq.heappush(largest, entry)
            else:
                _heapq.heappushpop(largest, entry)
            if order % _LOOKS == 0 and _now() > until:
                incomplete = "it took too long: not all names were looked at"
                break
    except RuntimeError:
        incomplete = "it changed meanwhile: not all names were looked at"
    largest.sort(reverse=True)
    names = [_entry(name, value, size, hashed) for size, _, name, value in largest]
    return {"names": order, "bytes": total_bytes, "kinds": kinds, "incomplete": incomplete, "list": names}


def _entry(name, value, size, hashed):
    entry = {"name": _shown(name, hashed) if type(name) is str else "<not a text>", "kind": _kind_of(value),
             "type": _type_text(type(value), hashed), "bytes": size}
    if _is_one_of(type(value), _WITH_LENGTH):
        try:
            entry["length"] = len(value)
        except OverflowError:
            pass  # a range
    try:
        entry |= _array_facts(value)
    except Exception:  # no array that this knows
        pass
    return entry


def _kind_of(value):
    kind = type(value)
    if _is_one_of(kind, _FUNCTIONS):
        return "function"
    if _flags_of(kind) & _TYPE_SUBCLASS:
        return "class"
    return "module" if _is_one_of(types.ModuleType, _lineage_of(kind)) else "data"


def _is_one_of(kind, kinds):
    """`in` would ask metaclasses for equality."""
    for each in kinds:
        if each is kind:
            return True
    return False


def _type_text(kind, hashed):
    name, module = _name_of(kind), _module_of(kind)
    if type(name) is not str:
        return "?"
    if type(module) is not str or module == "__main__":
        return _shown(name, hashed)
    return _cut(name if module == "builtins" else f"{module}.{name}")


def _shown(name, hashed):
    if not hashed:
        return _cut(name)
    return _sha256.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()[:_HASH_CHARS]


def _cut(text):
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= _CHARS else text[:_CHARS - 1] + "…"


def _size_of(value):
    """Arrays with their elements, all else by itself and not what it leads to."""
    try:
        array_bytes = _array_facts(value).get("bytes")
        if array_bytes is not None:
            return array_bytes
        return _basic_size(value) if _flags_of(type(value)) & _HEAP_TYPE else _full_size(value)
    except Exception:
        return 0


# numpy and pandas, as C sees them


def _array_facts(value):
    kind = type(value)
    module = _module_of(kind)
    if type(module) is str and module.startswith("pandas.core."):
        return _table_facts(value)
    if not _is_array(kind):
        return {}
    shape = _attribute(value, "shape")
    return {"bytes": _attribute(value, "nbytes"), "shape": list(shape[:_DIMENSIONS]),
            "dtype": _dtype_text(_attribute(value, "dtype"))}


def _is_array(kind):
    """numpy's array or a subclass of it."""
    for each in _lineage_of(kind):
        if not _flags_of(each) & _HEAP_TYPE and _name_of(each) == "ndarray" and _module_of(each) == "numpy":
            return True
    return False


def _table_facts(value):
    """A table or a column of one: blocks of arrays, which a manager holds."""
    manager = _attribute(value, "_mgr")
    if manager is None:
        data = _attribute(value, "_data")  # an index
        return _array_facts(data) if data is not None and _is_array(type(data)) else {}
    total, dtypes = 0, set()
    for block in _attribute(manager, "blocks"):
        values = _attribute(block, "values")
        extended = not _is_array(type(values))
        facts = _array_facts(_attribute(values, "_ndarray") if extended else values)
        total += facts.get("bytes", 0)
        dtypes.add("extension" if extended else facts["dtype"])
    shape = [_index_length(axis) for axis in _attribute(manager, "axes")]
    return {"bytes": total, "shape": shape[::-1] if None not in shape else [],
            "dtype": dtypes.pop() if len(dtypes) == 1 else "mixed"}


def _index_length(index):
    numbers = _attribute(index, "_range")
    if type(numbers) is range:
        return len(numbers)
    data = _attribute(index, "_data")
    return _attribute(data, "shape")[0] if data is not None and _is_array(type(data)) else None


def _dtype_text(dtype):
    """As numpy names it, without the names of fields."""
    letter, size = _attribute(dtype, "kind"), _attribute(dtype, "itemsize")
    word = _LETTERS.get(letter, "?")
    return word if letter in "bO" else f"{word}{size * 8}"


def _attribute(value, name):
    """What C keeps under this name: no property, no __getattr__, no method."""
    for kind in _lineage_of(type(value)):
        found = _attributes_of(kind).get(name)
        if _is_one_of(type(found), _DESCRIPTORS):
            return type(found).__get__(found, value, type(value))
    for kind in _lineage_of(type(value)):
        found = _attributes_of(kind).get("__dict__")
        if type(found) is types.GetSetDescriptorType:
            own = type(found).__get__(found, value, type(value))
            return own.get(name) if type(own) is dict else None
    return None


# JSON without the module json, which a program may have changed


def _encode(value):
    kind = type(value)
    if kind is str:
        return _json.encode_basestring_ascii(value)
    if kind is int:
        return int.__repr__(value)
    if kind is list:
        return "[" + ",".join([_encode(each) for each in value]) + "]"
    if kind is dict:
        return "{" + ",".join([f"{_encode(key)}:{_encode(each)}" for key, each in value.items()]) + "}"
    return "null"
