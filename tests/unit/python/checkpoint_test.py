"""Durable checkpoints: what a namespace is after it was saved by one process and loaded by another."""
import os
import tempfile
import unittest

from checkpoints import CheckpointTest

try:
    import numpy
except ImportError:
    numpy = None
needs_numpy = unittest.skipUnless(numpy, "numpy is not installed")


class Sharing(CheckpointTest):
    def test_what_names_share_stays_shared(self):
        self.check("a = [1]\nb = {'x': a}\nc = a\ncycle = [a]; cycle.append(cycle)",
                   "assert b['x'] is a is c and cycle[0] is a and cycle[1] is cycle")

    def test_a_name_left_out_takes_nothing_with_it(self):
        saved = self.save("import threading\na = [1]\nbad = [a, threading.Lock()]\nb = {'y': a, 'z': []}\nlast = b['z']")
        self.assertEqual(saved.left_out, {"bad": "TypeError: cannot pickle '_thread.lock' object"})
        self.load(saved.payload, "assert b['y'] is a == [1] and b['z'] is last == [] and 'bad' not in globals()")

    def test_what_is_met_first_in_a_name_left_out_is_whole(self):
        saved = self.save("import threading\na = [1, 2]\nbad = [a, threading.Lock()]\ndel a\nb = bad[0]; c = [b, b]")
        self.assertEqual(list(saved.left_out), ["bad"])
        self.load(saved.payload, "assert b == [1, 2] and c[0] is c[1] is b")

    def test_the_namespace_may_hold_itself_and_its_module(self):
        self.check("import sys\nself = globals()\nbox = [self]\nme = sys.modules['__main__']\nfrom builtins import __dict__ as b",
                   "assert self is globals() is box[0] and me.__dict__ is self\nimport builtins; assert b is vars(builtins)")

    def test_order_and_odd_names_are_kept(self):
        self.check("z = 1; y = 2\nglobals()['not an identifier'] = 3; globals()['ü\\ud800'] = 4",
                   "names = [n for n in globals() if n[0] != '_']\nassert names == ['z', 'y', 'not an identifier', 'ü\\ud800']")

    def test_annotations_of_the_namespace_are_kept(self):
        self.check("x: int = 1", "assert __annotations__ == {'x': int}")


class Functions(CheckpointTest):
    def test_functions_see_the_restored_namespace(self):
        self.check("n = 0\ndef inc():\n    global n\n    n += 1\n    return n\ndef get(): return n\nf = [inc]",
                   "assert inc() == 1 == n == get() and inc.__globals__ is globals() and f[0] is inc\n"
                   "n = 7; assert get() == 7\ndel inc; assert f[0]() == 8")

    def test_closures_share_their_variable(self):
        self.check("def make():\n    k = 0\n    def up():\n        nonlocal k\n        k += 1\n        return k\n"
                   "    return up, lambda: k\nup, now = make(); up()", "assert now() == 1 and up() == 2 == now()")

    def test_recursive_ones(self):
        self.check("def f(n): return n and n * f(n - 1) or 1\ndef outer():\n    def g(n): return n and n + g(n - 1)\n"
                   "    return g\ng = outer()", "assert f(5) == 120 and g(4) == 10")

    def test_attributes_defaults_and_names(self):
        self.check("def f(a, b=[1], *, c=2) -> int:\n    'doc'\nf.tag = f; f.__defaults__[0].append(f)\n"
                   "l = lambda x, g=lambda y: y * 2: g(x)",
                   "assert f.tag is f and f.__defaults__[0][1] is f and f.__kwdefaults__ == {'c': 2}\n"
                   "assert f.__doc__ == 'doc' and f.__annotations__ == {'return': int} and f.__qualname__ == 'f'\n"
                   "assert l(4) == 8 and f.__module__ == '__main__'")

    def test_decorated_ones(self):
        self.check("import functools, contextlib\ndef deco(f):\n    @functools.wraps(f)\n    def w(*a): return f(*a) + 1\n    return w\n"
                   "@deco\ndef f(x): return x\n@functools.lru_cache\ndef fib(i): return i if i < 2 else fib(i - 1) + fib(i - 2)\n"
                   "@contextlib.contextmanager\ndef ctx(): yield 5\npart = functools.partial(f, 2)\n"
                   "@functools.singledispatch\ndef kind(x): return 'object'\n@kind.register\ndef _(x: int): return 'int'",
                   "assert f(1) == 2 and fib(60) == 1548008755920 and part() == 3\nwith ctx() as five: assert five == 5\n"
                   "assert kind(1) == 'int' and kind('') == 'object' and fib.cache_parameters()['maxsize'] == 128")

    def test_globals_that_are_not_the_namespace(self):
        self.check("d = {}\nexec('n = 1\\ndef f():\\n    global n\\n    n += 1\\n    return n', d)",
                   "assert d['f']() == 2 == d['n'] and d['f'].__globals__ is d")


class Classes(CheckpointTest):
    def test_methods_super_and_properties(self):
        self.check("class B:\n    def hi(self): return 'B'\nclass C(B):\n    n = 1\n    def hi(self): return 'C' + super().hi()\n"
                   "    @property\n    def p(self): return self.n\n    @classmethod\n    def k(cls): return cls\n"
                   "    @staticmethod\n    def s(): return n\nn = 9; o = C(); bound = o.hi",
                   "assert o.hi() == 'CB' == bound() and type(o) is C is C.k() and o.p == 1 and C.s() == 9\n"
                   "assert bound.__self__ is o and isinstance(o, B)")

    def test_dataclasses(self):
        self.check("import dataclasses\n@dataclasses.dataclass\nclass P:\n    x: int = 1\n    l: list = dataclasses.field(default_factory=list)\n"
                   "p = P(3)\n@dataclasses.dataclass(frozen=True, slots=True)\nclass F:\n    x: int\nf = F(1)",
                   "assert [f.name for f in dataclasses.fields(P)] == ['x', 'l'] and p == P(3) and P().l == [] is not P().l\n"
                   "assert dataclasses.replace(p, x=4).x == 4 and f == F(1)")

    def test_enums(self):
        self.check("import enum\nclass E(enum.Enum):\n    A = 1\n    B = 2\n    def m(self): return self.name\n"
                   "class G(enum.IntFlag):\n    R = 1\n    W = 2\ne = E.A; g = G.R | G.W",
                   "assert e is E.A is E(1) and E.B.m() == 'B' and list(E) == [E.A, E.B] and g == 3 and G.R in g")

    def test_slots_abstract_ones_and_metaclasses(self):
        self.check("import abc, collections, typing\nclass S:\n    __slots__ = ('a',)\ns = S(); s.a = 1\nclass A(abc.ABC):\n    @abc.abstractmethod\n"
                   "    def f(self): ...\nclass I(A):\n    def f(self): return 1\ni = I()\nclass M(type):\n    def tag(cls): return cls.__name__\n"
                   "class W(metaclass=M): pass\nNT = collections.namedtuple('NT', 'a b'); nt = NT(1, 2)\n"
                   "class T(typing.NamedTuple):\n    a: int\nt = T(1)\nclass Gen(typing.Generic[typing.TypeVar('X')]): pass",
                   "assert s.a == 1 and i.f() == 1 and W.tag() == 'W' and nt == NT(1, 2) and nt.b == 2 and t.a == 1\n"
                   "try: A()\nexcept TypeError: pass\nelse: raise AssertionError")

    def test_cached_properties(self):
        self.check("import functools\nclass C:\n    @functools.cached_property\n    def p(self): 'd'; return []\nc = C(); c.p.append(1)\nd = C()",
                   "assert c.p == [1] and d.p == [] and d.p is d.p and C.p.__doc__ == 'd'")

    def test_a_second_generation_is_like_the_first(self):
        program = ("import dataclasses, functools\n@dataclasses.dataclass\nclass P:\n    x: list\n    def m(self): return self.x, n\n"
                   "n = [1]; p = P(n)\n@functools.lru_cache\ndef f(x): return x, n")
        first = self.save(program)
        again = ("import io, os, json\nread, write = os.pipe()\nimport _capsule_checkpoint as c, _capsule_restore as r\n"
                 "import tempfile\nfile = tempfile.TemporaryFile()\nmeta = json.loads(c.save({k: v for k, v in globals().items() if k in 'npPf'} , file.fileno()))\n"
                 "assert meta['names'] == 4 and meta['names_left_out'] == 0, meta\nassert p.m()[1] is n is p.x")
        self.load(first.payload, again)


class Modules(CheckpointTest):
    def test_modules_go_by_name_with_what_was_loaded_below_them(self):
        self.check("import json as j, xml.dom.minidom, os.path\nfrom collections import OrderedDict as O\no = O(a=j)",
                   "import sys\nassert j is sys.modules['json'] is o['a'] and xml.dom.minidom.parseString and os.path.sep == '/'")

    def test_a_module_that_is_gone_costs_only_itself(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "gone_module.py"), "w") as file:
                file.write("class K:\n    pass\ndef f(): pass\n")
            saved = self.save(f"import sys; sys.path.append({folder!r})\nimport gone_module as g\na = [1]\nk = g.K(); k.x = a\n"
                              "f = g.f\nboth = [a, k]\nb = {'a': a}\ndef use(): return g.K()\nclass Sub(g.K): pass",
                              local_directories=[])
        report = self.load(saved.payload, "assert b['a'] is a is both[0]\n"
                           "for broken in (lambda: g.K, lambda: both[1].x, lambda: k.x, lambda: f.x, use):\n"
                           "    try: broken()\n    except (ImportError, AttributeError) as e: assert 'gone_module' in str(e), e\n"
                           "    else: raise AssertionError")
        failed = {each["name"]: each["reason"] for each in report["failed"]}
        self.assertEqual(set(failed), {"g", "k", "f", "Sub"}, report)
        self.assertIn("No module named 'gone_module'", failed["g"])
        self.assertEqual(set(report["missing"]), {f"{what}: ModuleNotFoundError: No module named 'gone_module'" for what in (
            "module gone_module", "gone_module.K", "gone_module.f")})

    def test_modules_from_the_workspace_go_by_value(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "own_module.py"), "w") as file:
                file.write("n = 0\nclass K:\n    def m(self): return f()\ndef f():\n    global n\n    n += 1\n    return n\n")
            saved = self.save(f"import sys; sys.path.append({folder!r})\nimport own_module as m\nfrom own_module import f\nk = m.K(); f()",
                              local_directories=[folder])
        self.assertEqual(saved.left_out, {})
        report = self.load(saved.payload, "import own_module\nassert own_module is m and m.f is f and m.n == 1\n"
                           "assert k.m() == 2 == m.n and type(k) is m.K and f() == 3")
        self.assertEqual(report["failed"], [])


class State(CheckpointTest):
    def test_generators_of_random_numbers_go_on(self):
        self.check("import random\nfrom random import random as draw\nrandom.seed(4); own = random.Random(5)\nkept = random.getstate()\nown2 = own",
                   "assert random.getstate() == kept and draw.__self__ is random._inst and own is own2\n"
                   "x = draw(); random.setstate(kept); assert random.random() == x\nassert own.random() == random.Random(5).random()")

    @needs_numpy
    def test_so_do_those_of_numpy(self):
        self.check("import numpy as np\nfrom numpy.random import rand\nnp.random.seed(1); g = np.random.default_rng(2)",
                   "a = rand(); np.random.seed(1); assert a == np.random.rand()\nassert g.random() == np.random.default_rng(2).random()")

    def test_streams_are_the_new_process_s(self):
        self.check("import sys\nout = sys.stdout; log = [sys.stderr]", "assert out is sys.stdout and log[0] is sys.stderr")

    @needs_numpy
    def test_views_of_an_array_share_its_memory(self):
        self.check("import numpy as np\na = np.arange(10); v = a[2:5]; r = a[::-2]\nf = np.asfortranarray(np.ones((3, 4))); w = f[1:, 2]\n"
                   "t = np.arange(6.).reshape(2, 3); ro = t[0]; ro.flags.writeable = False\nlone = np.arange(5)[1:3]",
                   "v[0] = 77; assert a[2] == 77\na[9] = 5; assert list(r) == [5, 7, 5, 3, 1]\nw[0] = 8; assert f[1, 2] == 8 and f.flags.f_contiguous\n"
                   "t[0, 1] = 6; assert ro[1] == 6 and not ro.flags.writeable and list(lone) == [1, 2]")

    @needs_numpy
    def test_views_are_kept_over_generations(self):
        first = self.save("import numpy as np\na = np.arange(10); v = a[2:5]")
        self.load(first.payload, "import tempfile, os, json, _capsule_checkpoint as c\n"
                  "with tempfile.TemporaryFile() as f: size = json.loads(c.save({'a': a, 'v': v}, f.fileno()))['lists']['names'][1]['bytes']\n"
                  "assert size < 400, size\na[2] = 9; assert v[0] == 9")


class Meta(CheckpointTest):
    def test_says_what_is_in_it(self):
        saved = self.save("import os, json as j\na = [1]\ndef f(): pass\nclass C: pass\ng = (i for i in a)\nx = 1.5")
        meta = saved.metadata
        self.assertEqual((meta["names"], meta["names_left_out"], meta["functions"], meta["classes"], meta["modules"]),
                         (6, 1, 1, 1, 2))
        self.assertEqual(meta["lists"]["modules"], ["json", "os"])
        self.assertEqual(saved.left_out, {"g": "TypeError: cannot pickle 'generator' object"})
        self.assertEqual(saved.names["a"]["type"], "list")
        self.assertEqual(meta["serialised_bytes"], len(saved.payload))
        self.assertEqual(sum(each["bytes"] for each in meta["lists"]["names"]) < len(saved.payload), True)

    def test_is_bounded(self):
        saved = self.save("import threading\nfor i in range(3000): globals()[f'v{i:0200}'] = threading.Lock() if i % 2 else i\ndel i\n"
                          "globals()['n' * 5000] = 1\nglobals()[1] = 2")
        meta = saved.metadata
        self.assertEqual((meta["names"], meta["names_left_out"]), (1501, 1502))  # `threading` is one
        self.assertLessEqual(max(len(each) for each in meta["lists"].values()), 1000)
        self.assertLessEqual(max(len(name) for name in saved.names), 120)

    def test_an_empty_namespace_is_a_checkpoint_too(self):
        self.assertEqual(self.check("", "assert not [name for name in globals() if name[0] != '_']").metadata["names"], 0)


if __name__ == "__main__":
    unittest.main()
