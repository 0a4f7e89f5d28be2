"""What the payload of a checkpoint calls by name when it is loaded. These names and arguments are part of the format.

What cannot be had in this interpreter (a module that is not installed, a class that is gone) is replaced by something
that says so when it is used: one missing library must not cost the names that do not need it.
"""
import builtins
import functools
import importlib
import sys
import types

_SUBMODULES_MAX = 4096  # of one package

_namespace = {}  # of the session that is being restored
_missing = []  # what could not be had, since take_missing(): texts


def begin(namespace):
    global _namespace
    _namespace = namespace
    _missing.clear()


def take_missing():
    taken = _missing[:]
    _missing.clear()
    return taken


# Seeds: both ends of a payload know these objects before the first record.


def namespace():
    return _namespace


def builtins_dict():
    return builtins.__dict__


# Functions


def new_cell():
    return types.CellType()


def fill_cell(cell, state):
    cell.cell_contents = state[0]


def function(code, global_names, name, closure):
    global_names.setdefault("__builtins__", builtins)  # else it would get those of this module
    return types.FunctionType(code, global_names, name, None, closure)


def fill_function(made, state):
    attributes, slots = state
    for name, value in slots.items():
        setattr(made, name, value)
    if attributes:
        made.__dict__.update(attributes)


def lru_cache(maxsize, typed, wrapped):
    return functools.lru_cache(maxsize, typed)(wrapped)


def fill_attributes(made, attributes):
    made.__dict__.update(attributes)


def cached_property(getter, attribute, doc):
    made = functools.cached_property(getter)
    made.attrname, made.__doc__ = attribute, doc
    return made


# Modules


def module(name, submodules):
    """Imports it, and those below it that were loaded: `import a.b` binds only a."""
    if name == "__main__":
        return sys.modules[name]
    try:
        found = importlib.import_module(name)
    except BaseException as error:
        _note(f"module {name}", error)
        return MissingModule(name, _brief(error))
    for below in submodules[:_SUBMODULES_MAX]:
        if below not in sys.modules:
            try:
                importlib.import_module(below)
            except BaseException as error:
                _note(f"module {below}", error)
    return found


def new_module(name, registered):
    made = types.ModuleType(name)
    made.__dict__["__builtins__"] = builtins
    if registered:
        sys.modules[name] = made
    return made


def fill_module(made, state):
    made.__dict__.update(state)


def attribute(module_name, name):
    return getattr(importlib.import_module(module_name), name)


# Arrays


def view(base, shape, dtype, offset, strides, writeable, transposed):
    """An array that shares the memory of its base, as the saved one did."""
    numpy = sys.modules["numpy"]
    made = numpy.ndarray(shape, dtype, base.T if transposed else base, offset, strides)
    made.flags.writeable = writeable
    return made


# What is not to be had


def missing(module_name, name, error):
    """Stands for a class or function: pickles may call it, derive from it and fill its instances."""
    _note(f"{module_name}.{name}", error)
    text = f"{module_name}.{name} was not to be had when the checkpoint was restored: {_brief(error)}"
    contents = {"_capsule_reason": text, "__module__": module_name}
    return _PlaceholderType(name.rpartition(".")[2], (Placeholder,), contents)


class _PlaceholderType(type):
    def __getattr__(cls, name):
        raise AttributeError(cls._capsule_reason)


class Placeholder(metaclass=_PlaceholderType):
    """Takes whatever a pickle does to an object, and refuses whatever else is done."""

    _capsule_reason = "it was not to be had when the checkpoint was restored"

    def __new__(cls, *_arguments, **_named):
        return object.__new__(cls)

    def __init__(self, *_arguments, **_named):
        pass

    def __setstate__(self, state):
        pass

    def append(self, item):
        pass

    def extend(self, items):
        pass

    def add(self, item):
        pass

    def __setitem__(self, key, value):
        pass

    def __getattr__(self, name):
        raise AttributeError(type(self)._capsule_reason)

    def __call__(self, *_arguments, **_named):
        raise TypeError(type(self)._capsule_reason)

    def __repr__(self):
        return f"<missing: {type(self)._capsule_reason}>"

    def __reduce__(self):
        raise TypeError(type(self)._capsule_reason)


class MissingModule(types.ModuleType):
    def __init__(self, name, reason):
        super().__init__(name)
        self._capsule_reason = f"{name} was not to be had when the checkpoint was restored: {reason}"

    def __getattr__(self, name):
        raise ModuleNotFoundError(self.__dict__["_capsule_reason"], name=self.__name__)


def is_placeholder(value):
    return issubclass(type(value), (Placeholder, _PlaceholderType, MissingModule))


def why_missing(placeholder):
    return placeholder._capsule_reason


def _note(what, error):
    if len(_missing) < _SUBMODULES_MAX:
        _missing.append(f"{what}: {_brief(error)}")


def _brief(error):
    try:
        return f"{type(error).__name__}: {error}"[:300]
    except BaseException:
        return type(error).__name__
