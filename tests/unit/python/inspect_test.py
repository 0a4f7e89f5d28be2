"""What a namespace looks like from outside: complete as far as C can tell, and no code of the program runs for it."""
import json
import os
import sys
import threading
import types
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.normpath(os.path.join(HERE, "../../../worker/python")), HERE]

import _capsule_inspect as subject  # noqa: E402

try:
    import numpy
    import pandas
except ImportError:
    numpy = pandas = None
needs_numpy = unittest.skipUnless(numpy, "numpy and pandas are not installed")

SECRET = "kanarienvogel"


def look(names, hashed=False):
    """The document as the manager gets it, and its entries by name."""
    document = json.loads(subject._encode(subject.inspect(names, hashed)))
    return document, {entry["name"]: entry for entry in document["list"]}


def refuse(*_, **__):
    raise AssertionError("code of the program was run")


class Everything(type):
    """A metaclass that wants to be asked."""
    __eq__ = __len__ = __repr__ = __instancecheck__ = __subclasscheck__ = refuse
    __hash__ = type.__hash__


class Trap(metaclass=Everything):
    __len__ = __sizeof__ = __repr__ = __str__ = __getattr__ = __bool__ = __eq__ = __lt__ = __iter__ = __index__ = refuse
    __array__ = __fspath__ = __reduce__ = __call__ = __hash__ = refuse
    __class__ = property(refuse)
    nbytes = shape = dtype = property(refuse)


class Text(str):
    __eq__ = __len__ = __str__ = __repr__ = __format__ = refuse
    __hash__ = str.__hash__


class Inspect(unittest.TestCase):
    def test_names_types_sizes_and_lengths(self):
        document, names = look({"x": 5, "text": "abc", "items": [1] * 1000, "f": lambda: 0, "K": type("K", (), {}),
                                "m": os, "__name__": "__main__", "r": range(10 ** 30)})
        self.assertEqual(document["names"], 7)
        self.assertEqual(document["kinds"], {"function": 1, "class": 1, "module": 1, "data": 4})
        self.assertEqual(names["x"], {"name": "x", "kind": "data", "type": "int", "bytes": sys.getsizeof(5)})
        self.assertEqual((names["items"]["length"], names["items"]["bytes"]), (1000, sys.getsizeof([1] * 1000)))
        self.assertEqual(names["text"]["length"], 3)
        self.assertNotIn("length", names["r"])
        self.assertEqual(document["bytes"], sum(entry["bytes"] for entry in document["list"]))

    def test_objects_of_the_program_are_not_asked_anything(self):
        trap = Trap()
        _, names = look({"trap": trap, "Trap": Trap, "text": Text(SECRET), Text("odd"): 1, 7: 2})
        self.assertEqual((names["trap"]["type"], names["trap"]["kind"]), ("Trap", "data"))
        self.assertEqual(names["Trap"]["kind"], "class")
        self.assertNotIn("length", names["text"])
        self.assertEqual(names["<not a text>"]["kind"], "data")

    def test_values_are_never_told(self):
        document, _ = look({"a": SECRET, "b": {SECRET: SECRET}, "c": [SECRET], "d": 987654321, "e": SECRET.encode(),
                            "f": lambda x=SECRET: x})
        text = json.dumps(document)
        self.assertNotIn(SECRET, text)
        self.assertNotIn("987654321", text)

    def test_hashed_names_hide_names_and_classes_of_the_program(self):
        kind = type(SECRET, (), {"__module__": "__main__"})
        document, names = look({SECRET: 1, "instance": kind(), "d": {}}, hashed=True)
        self.assertNotIn(SECRET, json.dumps(document))
        self.assertEqual({len(name) for name in names}, {32})
        self.assertIn("dict", {entry["type"] for entry in document["list"]})

    def test_the_largest_are_told_and_the_rest_is_counted(self):
        document, names = look({f"n{i}": bytes(i) for i in range(3000)})
        if document["incomplete"] is None:  # else this machine is too slow for the time there is
            self.assertEqual(document["names"], 3000)
            self.assertEqual(set(names), {f"n{i}" for i in range(2000, 3000)})
        self.assertEqual(len(document["list"]), 1000)
        sizes = [entry["bytes"] for entry in document["list"]]
        self.assertEqual(sizes, sorted(sizes, reverse=True))

    def test_long_and_broken_names_are_cut_and_escaped(self):
        _, names = look({"x" * 10_000: 1, "\ud800": 2, "\x1b[2J\"\\": 3})
        self.assertEqual(sorted(map(len, names)), [6, 6, 120])
        self.assertIn("\\ud800", names)

    def test_a_namespace_that_changes_meanwhile_gives_what_was_seen(self):
        names, stop = {f"n{i}": i for i in range(20_000)}, threading.Event()

        def change():
            number = 0
            while not stop.is_set():
                names[f"more{number % 50}"] = number
                names.pop(f"more{(number + 25) % 50}", None)
                number += 1

        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        thread = threading.Thread(target=change)
        thread.start()
        try:
            seen = [look(names)[0] for _ in range(5)]
        finally:
            stop.set()
            thread.join()
            sys.setswitchinterval(before)
        for document in seen:
            self.assertEqual(document["names"], sum(document["kinds"].values()))

    def test_a_module_of_ones_own_is_a_module(self):
        class Mine(types.ModuleType):
            __getattr__ = refuse

        _, names = look({"m": Mine("m")})
        self.assertEqual(names["m"]["kind"], "module")


@needs_numpy
class Arrays(unittest.TestCase):
    def test_arrays_have_shape_dtype_and_their_own_bytes(self):
        _, names = look({"a": numpy.zeros((3, 4)), "view": numpy.zeros((100, 100))[::2], "b": numpy.array(True),
                         "fields": numpy.zeros(2, dtype=[(SECRET, "i4")]), "matrix": numpy.matrix([[1, 2]]),
                         "text": numpy.array(["abc"])})
        self.assertEqual(names["a"] | {"name": ""}, {"name": "", "kind": "data", "type": "numpy.ndarray", "bytes": 96,
                                                     "shape": [3, 4], "dtype": "float64"})
        self.assertEqual((names["view"]["shape"], names["view"]["bytes"]), ([50, 100], 40_000))
        self.assertEqual((names["b"]["shape"], names["b"]["dtype"]), ([], "bool"))
        self.assertEqual((names["matrix"]["shape"], names["matrix"]["bytes"]), ([1, 2], 16))
        self.assertNotIn(SECRET, json.dumps(names))

    def test_tables_and_columns(self):
        table = pandas.DataFrame({SECRET: range(5), "y": list("abcde"), "z": [1.0] * 5})
        column, dates = table["z"], pandas.Series(pandas.date_range("2020", periods=3))
        _, names = look({"table": table, "column": column, "dates": dates, "index": pandas.Index([1, 2])})
        self.assertEqual((names["table"]["shape"], names["table"]["bytes"]), ([5, 3], 3 * 5 * 8))
        self.assertEqual((names["column"]["shape"], names["column"]["dtype"]), ([5], "float64"))
        self.assertEqual((names["dates"]["shape"], names["dates"]["bytes"]), ([3], 24))
        self.assertEqual(names["index"]["shape"], [2])
        self.assertNotIn(SECRET, json.dumps(names))

    def test_what_a_program_put_into_numpy_and_pandas_is_not_called(self):
        class Mine(numpy.ndarray):
            nbytes = shape = dtype = property(refuse)
            __len__ = __sizeof__ = __getattribute__ = refuse

        frame = pandas.DataFrame({"x": [1, 2]})
        array = numpy.zeros(4).view(Mine)
        shape, pandas.DataFrame.shape = pandas.DataFrame.shape, property(refuse)
        lookup, pandas.DataFrame.__getattr__ = pandas.DataFrame.__getattr__, refuse
        try:
            _, names = look({"frame": frame, "array": array})
        finally:
            pandas.DataFrame.shape = shape
            pandas.DataFrame.__getattr__ = lookup
        self.assertEqual(names["frame"]["shape"], [2, 1])
        self.assertEqual((names["array"]["shape"], names["array"]["bytes"]), ([4], 32))


if __name__ == "__main__":
    unittest.main()
