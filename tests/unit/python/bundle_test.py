"""Objects as MIME bundles, display() and its wrappers. In this process, with a fake _capsule."""
import base64
import json
import os
import sys
import unittest
from unittest import mock

import _capsule
from support import MODULES

sys.path.insert(0, MODULES)

import _capsule_bundle  # noqa: E402
import _capsule_interrupt  # noqa: E402
import capsule  # noqa: E402


class Rich:
    def __init__(self, **representations):
        for name, value in representations.items():
            setattr(self, f"_repr_{name}_", (lambda value=value: value) if not callable(value) else value)

    def __repr__(self):
        return "<rich>"


def fail(*_, **__):
    raise ZeroDivisionError("no")


def bundle(value, **options):
    data, metadata = _capsule_bundle.bundle(value, **options)
    return data, json.loads(metadata)


class Bundle(unittest.TestCase):
    def test_plain_values_have_their_repr(self):
        for value in (1, "a", [1, {"x": (2,)}], None, Bundle, len):
            self.assertEqual(bundle(value), ({"text/plain": repr(value).encode()}, {}))

    def test_every_representation_is_asked(self):
        data, metadata = bundle(Rich(html="<b>é</b>", png=b"\x89PNG", jpeg=b"\xff\xd8", svg="<svg/>", latex="$x$",
                                     markdown="*m*", json={"a": 1}))
        self.assertEqual(data, {
            "text/plain": b"<rich>", "text/html": "<b>é</b>".encode(), "image/png": b"\x89PNG",
            "image/jpeg": b"\xff\xd8", "image/svg+xml": b"<svg/>", "text/latex": b"$x$", "text/markdown": b"*m*",
            "application/json": b'{"a": 1}'})
        self.assertEqual(metadata, {})

    def test_representation_may_bring_metadata_and_pictures_may_be_base64(self):
        data, metadata = bundle(Rich(png=(base64.b64encode(b"\x89PNG").decode(), {"width": 3})))
        self.assertEqual((data["image/png"], metadata), (b"\x89PNG", {"image/png": {"width": 3}}))

    def test_none_means_no_such_representation(self):
        self.assertEqual(bundle(Rich(html=None)), ({"text/plain": b"<rich>"}, {}))

    def test_one_that_raises_costs_only_itself(self):
        data, metadata = bundle(Rich(html=fail, latex="$x$", markdown=5))
        self.assertEqual(data, {"text/plain": b"<rich>", "text/latex": b"$x$"})
        self.assertEqual(metadata["capsule"]["errors"]["text/html"], "ZeroDivisionError: no")
        self.assertIn("text/markdown", metadata["capsule"]["errors"])

    def test_repr_that_raises_is_told(self):
        class Bad:
            __repr__ = fail
        data, _ = bundle(Bad())
        self.assertEqual(data, {"text/plain": b"<Bad object, its repr() raised ZeroDivisionError: no>"})

    def test_attributes_that_raise_and_objects_that_have_everything_are_harmless(self):
        class Angry:
            def __getattribute__(self, name):
                raise ZeroDivisionError
        self.assertIn("text/plain", bundle(Angry())[0])
        self.assertEqual(set(bundle(mock.MagicMock())[0]), {"text/plain"})

    def test_interrupt_gets_out(self):
        def interrupt():
            raise KeyboardInterrupt
        with self.assertRaises(KeyboardInterrupt):
            bundle(Rich(html=interrupt))

    def test_mimebundle_comes_first_and_is_completed(self):
        value = Rich(html="other", latex="$x$")
        own = {"text/html": "mine", "x/y": b"1", 5: "?", "": ""}
        value._repr_mimebundle_ = lambda include, exclude: (own, {"k": 1})
        data, metadata = bundle(value)
        self.assertEqual(data, {"text/html": b"mine", "x/y": b"1", "text/latex": b"$x$", "text/plain": b"<rich>"})
        self.assertEqual(metadata["k"], 1)

    def test_include_and_exclude(self):
        value = Rich(html="h", latex="l")
        self.assertEqual(set(bundle(value, include=["text/html"])[0]), {"text/html"})
        self.assertEqual(set(bundle(value, exclude=["text/html"])[0]), {"text/latex", "text/plain"})

    def test_text_is_cut_with_a_marker(self):
        text = bundle("x" * (2 << 20))[0]["text/plain"]
        self.assertLess(len(text), (1 << 20) + 100)
        self.assertTrue(text.endswith(b"more characters)"))

    def test_largest_representations_are_dropped_and_named(self):
        data, metadata = bundle(Rich(html="h" * (9 << 20), latex="l" * (8 << 20), markdown="small"))
        self.assertEqual(set(data), {"text/latex", "text/markdown", "text/plain"})
        self.assertIn("text/html", metadata["capsule"]["dropped"])

    def test_metadata_is_bounded_and_always_json(self):
        self.assertIn("dropped", bundle(Rich(html=("h", {"x": "y" * 100_000})))[1]["capsule"])
        cyclic = {}
        cyclic["x"] = cyclic
        self.assertIn("errors", bundle(Rich(html=("h", cyclic)))[1]["capsule"])

    def test_surrogates_do_not_stop_it(self):
        data, _ = bundle(Rich(html="\ud800"))
        self.assertEqual(data["text/html"], b"?")
        self.assertEqual(bundle("\ud800")[0]["text/plain"], rb"'\ud800'")


class Display(unittest.TestCase):
    def setUp(self):
        _capsule.sent.clear()
        _capsule_interrupt.current = _capsule_interrupt.Run("r", 1)
        self.addCleanup(_capsule_interrupt.end_run)

    def sent(self):
        return [(item[2], item[3], item[4], json.loads(item[5])) for item in _capsule.sent]

    def test_objects_are_sent_in_their_order(self):
        self.assertIsNone(capsule.display(1, "a", metadata={"m": 1}))
        self.assertEqual(self.sent(), [("", False, {"text/plain": b"1"}, {"m": 1}),
                                       ("", False, {"text/plain": b"'a'"}, {"m": 1})])
        self.assertEqual(_capsule.sent[0][1], "r")

    def test_raw_bundles(self):
        capsule.display({"text/html": "<b>", "image/png": b"\x89", "application/json": [1]}, raw=True)
        self.assertEqual(self.sent()[0][2], {"text/html": b"<b>", "image/png": b"\x89", "application/json": b"[1]"})
        with self.assertRaises(TypeError):
            capsule.display("x", raw=True)

    def test_display_can_be_updated(self):
        handle = capsule.display(1, display_id=True)
        self.assertRegex(handle.display_id, "^[0-9a-f]{32}$")
        handle.update(2)
        capsule.update_display(3, display_id=handle.display_id)
        capsule.display(4, display_id="mine")
        self.assertEqual([(item[0], item[1]) for item in self.sent()], [
            (handle.display_id, False), (handle.display_id, True), (handle.display_id, True), ("mine", False)])

    def test_bad_ids_are_refused(self):
        for bad in ("", "x" * 257, 5):
            with self.assertRaises(ValueError):
                capsule.display(1, display_id=bad)

    def test_display_is_a_builtin(self):
        self.assertIs(display, capsule.display)  # noqa: F821

    def test_wrappers(self):
        png = b"\x89PNG\r\n"
        capsule.display(capsule.HTML("<b>"), capsule.Markdown("*"), capsule.Latex("$"), capsule.SVG("<svg/>"),
                        capsule.JSON({"a": [1]}), capsule.JSON('"text"'), capsule.Image(png, width=5))
        rich = [{key: value for key, value in item[2].items() if key != "text/plain"} for item in self.sent()]
        self.assertEqual(rich, [{"text/html": b"<b>"}, {"text/markdown": b"*"}, {"text/latex": b"$"},
                                {"image/svg+xml": b"<svg/>"}, {"application/json": b'{"a": [1]}'},
                                {"application/json": b'"text"'}, {"image/png": png}])
        self.assertEqual(self.sent()[-1][3], {"image/png": {"width": 5}})

    def test_wrappers_read_files_and_refuse_nonsense(self):
        with self.assertRaises(ValueError):
            capsule.Image(b"text")
        with self.assertRaises(ValueError):
            capsule.HTML()
        self.assertIn("Stands in for", capsule.Markdown(filename=os.path.abspath(_capsule.__file__)).data)


if __name__ == "__main__":
    unittest.main()
