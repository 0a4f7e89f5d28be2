"""What is said about a checkpoint: read by people and programs that never load it. Bounded; runs no code of objects."""
import json
import sys
import types

LISTED_MAX = 1000  # names; the same of those left out, and of modules
_CHARS_MAX = 120  # of a name or a type
_REASON_CHARS = 300
_JSON_BYTES = 768 << 10

_type_name = type.__dict__["__qualname__"].__get__  # a metaclass may have a property of that name
_type_module = type.__dict__["__module__"].__get__


class Metadata:
    def __init__(self, rules):
        self._rules = rules
        self._names, self._left_out, self._modules = [], [], {}
        self._saved = self._lost = self._functions = self._classes = self._shallow_bytes = 0

    def saved(self, name, value, serialised_bytes):
        self._saved += 1
        self._count(value)
        size = _shallow_bytes(value)
        self._shallow_bytes += size
        if len(self._names) < LISTED_MAX:
            self._names.append({"name": cut(name), "type": type_of(value), "bytes": serialised_bytes,
                                "shallow_bytes": size})

    def left_out(self, name, value, reason):
        self._lost += 1
        self._count(value)
        if len(self._left_out) < LISTED_MAX:
            shown = cut(name) if type(name) is str else "<not a text>"
            self._left_out.append({"name": shown, "type": type_of(value), "reason": cut(reason, _REASON_CHARS)})

    def finish(self, namespace, payload_bytes):
        """As JSON, at most _JSON_BYTES."""
        modules = sorted(self._modules)
        document = {
            "payload_version": 1, "python": ".".join(map(str, sys.version_info[:3])),
            "cloudpickle": self._rules.version,
            "names": self._saved, "names_left_out": self._lost, "functions": self._functions,
            "classes": self._classes, "modules": len(modules), "namespace_bytes": self._shallow_bytes,
            "serialised_bytes": payload_bytes,
            "lists": {"names": self._names, "left_out": self._left_out, "modules": modules[:LISTED_MAX]}}
        while True:
            text = json.dumps(document, separators=(",", ":")).encode()
            if len(text) <= _JSON_BYTES:
                return text
            lists = document["lists"]
            longest = max(lists, key=lambda key: len(lists[key]))
            lists[longest] = lists[longest][:len(lists[longest]) // 2]

    def _count(self, value):
        if isinstance(value, types.ModuleType) and issubclass(type(value), types.ModuleType):
            name = value.__dict__.get("__name__")
        elif type(value) is types.FunctionType:
            name = value.__module__
            self._functions += 1
        elif issubclass(type(value), type):
            name = value.__dict__.get("__module__")
            self._classes += 1
        else:
            return
        if type(name) is str and name != "__main__":
            self._modules[cut(name)] = True


def type_of(value):
    kind = type(value)
    try:
        name, module = _type_name(kind), _type_module(kind)
    except Exception:
        return "?"
    if type(name) is not str:
        return "?"
    return cut(name if module in ("builtins", "__main__") or type(module) is not str else f"{module}.{name}")


def _shallow_bytes(value):
    """Of the object itself and not of what it leads to. __sizeof__ may be anybody's code: only where it is known."""
    numpy = sys.modules.get("numpy")
    kind = type(value)
    if numpy is not None and kind is getattr(numpy, "ndarray", None):
        return int(value.nbytes)
    return sys.getsizeof(value) if kind.__module__ == "builtins" and not issubclass(kind, type) else \
        object.__sizeof__(value)


def brief(error):
    """Asks the error for its text, which is code of the program."""
    name = type_of(error)
    try:
        text = str(error)
    except BaseException:
        return name
    return cut(f"{name}: {text}" if text else name, _REASON_CHARS)


def cut(text, chars=_CHARS_MAX):
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= chars else text[:chars - 1] + "…"
