"""The pickler of durable checkpoints: cloudpickle's rules, and those that a whole namespace needs beyond them.

- A function keeps its globals: the namespace it is restored into, or its module's.
  Cells are objects of their own, so that two closures over one variable still share it.
- One array that is a view of another stays one, as far as anybody can tell.
- Modules go by name, but for those that came from files of the workspace: these go by value, with all they hold.
- Objects that a process has one of (sys.stdout, the generator behind random.random) are restored as the new process's.

Restores through _capsule_rebuild.
"""
import _pickle
import functools
import io
import sys
import types
import weakref

import _capsule_rebuild as rebuild

PROTOCOL = 5
_SUBMODULES_MAX = 4096
_OWN_OF_MODULE = frozenset(("__builtins__", "__loader__", "__spec__", "__cached__"))
# Looked up by identity: (module, attribute); only of modules that are loaded.
_SINGLETONS = (
    ("sys", "stdin"), ("sys", "stdout"), ("sys", "stderr"), ("sys", "__stdin__"), ("sys", "__stdout__"),
    ("sys", "__stderr__"), ("os", "environ"), ("os", "environb"), ("random", "_inst"),
    ("numpy.random.mtrand", "_rand"), ("dataclasses", "MISSING"), ("dataclasses", "KW_ONLY"),
    ("dataclasses", "_FIELD"), ("dataclasses", "_FIELD_CLASSVAR"), ("dataclasses", "_FIELD_INITVAR"),
    ("dataclasses", "_HAS_DEFAULT_FACTORY"), ("dataclasses", "_EMPTY_METADATA"), ("typing", "_TypedDict"))
_FILES = (io.TextIOWrapper, io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.FileIO)
# A pickle that gives a memo its first entries, in the order of Rules.seeds().
PREAMBLE = b"\x80\x05" + b"".join(
    f"c_capsule_rebuild\n{name}\n)R".encode() + b"\x940" for name in ("namespace", "builtins_dict")) + b"N."


def _bases_to_make_it_of(kind, bases):
    """typing.NamedTuple and typing.TypedDict, as a program writes them, are functions; and the metaclass of a TypedDict
    makes a dict of its own base class only, which is in no __bases__."""
    if any(type(base) is types.FunctionType for base in bases):
        bases = kind.__bases__
    typed_dict = getattr(sys.modules.get("typing"), "_TypedDict", None)
    if type(kind) is not type(typed_dict):
        return bases
    return tuple(typed_dict if base is dict else base for base in bases)


class Rules:
    """What is the same for all picklers of one checkpoint. Imports cloudpickle, which may fail."""

    def __init__(self, namespace, local_directories):
        import cloudpickle
        import cloudpickle.cloudpickle_fast as cloud
        self.version = cloudpickle.__version__
        self.cloud = cloud
        self.namespace = namespace
        # A plain dict, which the pickler looks things up in without calling Python.
        self.dispatch_table = dict(cloudpickle.CloudPickler.dispatch_table)
        self.by_reference = cloud._should_pickle_by_reference
        self.local = tuple(directory.rstrip("/") + "/" for directory in local_directories)
        self.globals_of_modules = {}  # id of the dict -> the one object that stands for it
        self.kept = []  # the singletons: their ids must stay theirs
        self.singletons = self._find_singletons()
        self.handlers = self._find_handlers()
        for module in list(sys.modules.values()):
            if self._is_local(module) and module.__name__ in sys.modules:
                cloudpickle.register_pickle_by_value(module)

    def seeds(self):
        """The memo before the first record; PREAMBLE makes the other end's."""
        known = (self.namespace, rebuild.builtins_dict())
        return {id(each): (index, each) for index, each in enumerate(known)}

    def handler(self, kind):
        """Called once for each type that is met: a function from object to what reducer_override answers, or None."""
        found = None
        if issubclass(kind, type):
            found = self._class
        elif issubclass(kind, types.ModuleType):
            found = self._module
        elif issubclass(kind, _FILES):
            found = _refuse_file
        self.handlers[kind] = found
        return found

    def _find_singletons(self):
        found = {}
        for module, name in _SINGLETONS:
            value = getattr(sys.modules.get(module), name, None)
            if value is not None:
                self.kept.append(value)
                found.setdefault(id(value), (rebuild.attribute, (module, name)))
        return found

    def _find_handlers(self):
        handlers = {
            types.FunctionType: self._function, types.CellType: _cell, types.ModuleType: self._module,
            functools._lru_cache_wrapper: self._lru_cache, functools.cached_property: _cached_property,
            weakref.WeakKeyDictionary: _weak_dictionary, weakref.WeakValueDictionary: _weak_dictionary}
        handlers.update((kind, _refuse_file) for kind in _FILES)
        numpy = sys.modules.get("numpy")
        if hasattr(numpy, "ndarray"):
            handlers[numpy.ndarray] = _Arrays(numpy).reduce
        for kind in {type(value) for value in self.kept}:
            otherwise = self._class if issubclass(kind, type) else handlers.get(kind)
            handlers[kind] = functools.partial(self._singleton, otherwise)
        return handlers

    def _singleton(self, otherwise, value):
        found = self.singletons.get(id(value))
        if found is None:
            return NotImplemented if otherwise is None else otherwise(value)
        return found

    # Functions and classes

    def _function(self, function):
        if self.by_reference(function):
            return NotImplemented
        names = function.__globals__
        slots = {"__defaults__": function.__defaults__, "__kwdefaults__": function.__kwdefaults__,
                 "__annotations__": function.__annotations__, "__doc__": function.__doc__,
                 "__module__": function.__module__, "__qualname__": function.__qualname__}
        slots = {name: value for name, value in slots.items() if value or name in ("__doc__", "__module__")}
        made = (function.__code__, self._globals(names), function.__name__, function.__closure__)
        return rebuild.function, made, (function.__dict__ or None, slots), None, None, rebuild.fill_function

    def _globals(self, names):
        if names is self.namespace:
            return names
        module = sys.modules.get(names.get("__name__", "") if type(names.get("__name__")) is str else "")
        if not isinstance(module, types.ModuleType) or module.__dict__ is not names:
            return names
        return self.globals_of_modules.setdefault(id(names), _GlobalsOf(module))

    def _lru_cache(self, wrapper):
        module = sys.modules.get(getattr(wrapper, "__module__", None))
        if module is not None and module.__dict__ is not self.namespace and not self._is_local(module):
            found = module
            for name in wrapper.__qualname__.split("."):
                found = getattr(found, name, None)
            if found is wrapper:
                return NotImplemented
        parameters = wrapper.cache_parameters()
        wrapped = wrapper.__wrapped__
        own = {name: value for name, value in wrapper.__dict__.items()
               if name not in ("__wrapped__", "cache_parameters") and wrapped.__dict__.get(name) is not value}
        return (rebuild.lru_cache, (parameters["maxsize"], parameters["typed"], wrapped), own or None, None, None,
                rebuild.fill_attributes)

    def _class(self, kind):
        reduced = self.cloud._class_reduce(kind)
        if type(reduced) is tuple and len(reduced) == 6:
            # Without cloudpickle's tracker: a class that is restored is a new one, and never an update of another.
            made = reduced[1][:-2] + (None, reduced[1][-1])
            made = made[:2] + (_bases_to_make_it_of(kind, made[2]),) + made[3:]
            return (reduced[0], made) + reduced[2:]
        return reduced

    # Modules

    def _is_local(self, module):
        if not isinstance(module, types.ModuleType) or str(module.__dict__.get("__name__")).startswith("_capsule"):
            return False  # our own helpers are there in every worker, wherever their sources lie
        path = module.__dict__.get("__file__")
        return type(path) is str and path.startswith(self.local)

    def _module(self, module):
        if isinstance(module, rebuild.MissingModule):
            raise TypeError(rebuild.why_missing(module))
        name = module.__name__
        registered = sys.modules.get(name) is module
        if registered and not self._is_local(module):
            below = name + "."
            submodules = [each for each in list(sys.modules) if type(each) is str and each.startswith(below)]
            return rebuild.module, (name, sorted(submodules)[:_SUBMODULES_MAX])
        state = {key: value for key, value in module.__dict__.items() if key not in _OWN_OF_MODULE}
        return rebuild.new_module, (name, registered), state, None, None, rebuild.fill_module


class Pickler(_pickle.Pickler):
    """Keeps its memo from one dump() to the next; begins with the seeds in it."""

    def __init__(self, file, rules, buffer_callback=None):
        super().__init__(file, PROTOCOL, buffer_callback=buffer_callback)
        self.dispatch_table = rules.dispatch_table
        self.memo = rules.seeds()
        self._handlers = rules.handlers
        self._handler_of = rules.handler

    def reducer_override(self, value):
        kind = type(value)
        try:
            handler = self._handlers[kind]
        except KeyError:
            handler = self._handler_of(kind)
        return NotImplemented if handler is None else handler(value)


class _GlobalsOf:
    """The globals of a module that goes by name, or that is itself in the checkpoint."""

    def __init__(self, module):
        self._module = module

    def __reduce__(self):
        return vars, (self._module,)


class _Arrays:
    def __init__(self, numpy):
        self._ndarray = numpy.ndarray

    def reduce(self, array):
        base = array.base
        # Who else holds the base could tell a copy from a view: more than the array, `base` and getrefcount's argument.
        if type(base) is not self._ndarray or sys.getrefcount(base) <= 3 or array.dtype.hasobject:
            return NotImplemented
        flags = base.flags
        if not flags.c_contiguous and not flags.f_contiguous or base.dtype.hasobject:
            return NotImplemented
        offset = array.__array_interface__["data"][0] - base.__array_interface__["data"][0]
        return rebuild.view, (base, array.shape, array.dtype, offset, array.strides, array.flags.writeable,
                              not flags.c_contiguous)


def _cell(cell):
    try:
        state = (cell.cell_contents,)
    except ValueError:
        return rebuild.new_cell, ()
    return rebuild.new_cell, (), state, None, None, rebuild.fill_cell


def _cached_property(made):
    return rebuild.cached_property, (made.func, made.attrname, made.__doc__)


def _weak_dictionary(dictionary):
    return type(dictionary), (dict(dictionary.items()),)


def _refuse_file(file):
    name = getattr(file, "name", None)
    raise TypeError(f"an open file is not captured: {name!r}"[:200])
