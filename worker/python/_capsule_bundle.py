"""Objects as MIME bundles, the way notebooks show them: {type: bytes} and metadata.

Each representation is a call into code of the program. One that raises costs only itself and is named in the
metadata; representations that do not fit are dropped, the largest first, and named too.
"""
import base64
import json

import _capsule
import _capsule_figures

_MAX_TEXT_CHARS = 1 << 20  # of text/plain
_MAX_TYPES = 64  # of one bundle
_MAX_TYPE_CHARS = 127
_MAX_METADATA_BYTES = 64 << 10

_PLAIN_TYPES = frozenset((int, float, complex, bool, str, bytes, list, dict, tuple, set, frozenset, type(None), range))
_METHODS = (
    ("text/html", "_repr_html_"), ("text/markdown", "_repr_markdown_"), ("image/svg+xml", "_repr_svg_"),
    ("image/png", "_repr_png_"), ("image/jpeg", "_repr_jpeg_"), ("application/pdf", "_repr_pdf_"),
    ("text/latex", "_repr_latex_"), ("application/json", "_repr_json_"),
    ("application/javascript", "_repr_javascript_"))


def bundle(value, include=None, exclude=None, shown_figures=None):
    """(data, metadata as JSON). Only an interrupt or SystemExit gets out of it.

    shown_figures: figure -> PNG; a figure that still looks like that is not drawn once more.
    """
    builder = _Builder(include, exclude)
    if type(value) in _PLAIN_TYPES:
        builder.add_text(value)
        return builder.finish()
    if not issubclass(type(value), type) and not _answers_everything(value):
        builder.add_mimebundle(value)
        for mime, method in _METHODS:
            builder.add_method(value, mime, method)
        if _capsule_figures.is_figure(value):
            builder.attempt("image/png", _capsule_figures.png, value, shown_figures)
    builder.add_text(value)
    return builder.finish()


def raw_bundle(data, metadata=None):
    """For a caller that made the representations itself: a dict from type to text, bytes or JSON."""
    if not isinstance(data, dict):
        raise TypeError("with raw=True each object must be a dict from MIME type to data")
    builder = _Builder(None, None)
    builder.add_all(data, metadata)
    return builder.finish()


def _answers_everything(value):
    """Mocks and proxies have every attribute; their representations would be nonsense."""
    try:
        return getattr(value, "_repr_no_such_representation_", None) is not None
    except Exception:
        return False


class _Builder:
    def __init__(self, include, exclude):
        self.data = {}
        self.metadata = {}
        self.notes = {}  # what is missing and why: kind -> {type: reason}
        self.include = None if include is None else frozenset(include)
        self.exclude = frozenset(exclude or ())

    def wants(self, mime):
        return mime not in self.data and mime not in self.exclude and (self.include is None or mime in self.include)

    def note(self, kind, mime, reason):
        self.notes.setdefault(kind, {})[mime] = reason

    def attempt(self, mime, function, *arguments):
        if not self.wants(mime):
            return
        try:
            answer = function(*arguments)
            if type(answer) is tuple and len(answer) == 2:
                answer, metadata = answer
                if metadata:
                    self.metadata[mime] = metadata
            if answer is not None:
                self.data[mime] = encode(mime, answer)
        except Exception as error:
            self.note("errors", mime, describe_briefly(error))

    def add_method(self, value, mime, name):
        if self.wants(mime):
            method = self._method(value, mime, name)
            if method is not None:
                self.attempt(mime, method)

    def _method(self, value, mime, name):
        try:
            method = getattr(value, name, None)
        except Exception as error:
            self.note("errors", mime, describe_briefly(error))
            return None
        return method if callable(method) else None

    def add_mimebundle(self, value):
        method = self._method(value, "_repr_mimebundle_", "_repr_mimebundle_")
        if method is None:
            return
        try:
            answer = method(include=self.include, exclude=self.exclude or None)
            metadata = None
            if type(answer) is tuple and len(answer) == 2:
                answer, metadata = answer
            if answer is not None:
                self.add_all(dict(answer), metadata)
        except Exception as error:
            self.note("errors", "_repr_mimebundle_", describe_briefly(error))

    def add_all(self, data, metadata):
        for mime, item in list(data.items())[:_MAX_TYPES]:
            if not isinstance(mime, str) or not 0 < len(mime) <= _MAX_TYPE_CHARS or not mime.isprintable():
                self.note("errors", "?", "not a MIME type")
            else:
                self.attempt(mime, lambda item=item: item)
        if isinstance(metadata, dict):
            self.metadata.update(metadata)

    def add_text(self, value):
        if not self.wants("text/plain"):
            return
        try:
            text = repr(value)
        except Exception as error:
            text = f"<{type(value).__name__} object, its repr() raised {describe_briefly(error)}>"
            self.note("errors", "text/plain", describe_briefly(error))
        if len(text) > _MAX_TEXT_CHARS:
            text = f"{text[:_MAX_TEXT_CHARS]}... ({len(text) - _MAX_TEXT_CHARS} more characters)"
        self.data["text/plain"] = text.encode("utf-8", "backslashreplace")

    def finish(self):
        total = sum(map(len, self.data.values()))
        while total > _capsule.BUNDLE_BYTES:
            mime = max(self.data, key=lambda key: len(self.data[key]))
            size = len(self.data.pop(mime))
            total -= size
            self.note("dropped", mime, f"{size} bytes do not fit")
        if self.notes:
            self.metadata["capsule"] = self.notes
        return self.data, _dump(self.metadata)


def _dump(metadata):
    if not metadata:
        return "{}"
    try:
        text = json.dumps(metadata, default=str)
    except Exception as error:
        text = json.dumps({"capsule": {"errors": {"metadata": describe_briefly(error)}}})
    if len(text) > _MAX_METADATA_BYTES:
        return json.dumps({"capsule": {"dropped": {"metadata": f"{len(text)} bytes do not fit"}}})
    return text


def merged_metadata(own, given):
    """Metadata of the bundle with that of the caller on top."""
    return own if not given else _dump({**json.loads(own), **given})


def encode(mime, item):
    """One representation as bytes: binary as it is, text as UTF-8, the rest as JSON."""
    if isinstance(item, (bytes, bytearray, memoryview)):
        return bytes(item)
    if mime == "application/json" or mime.endswith("+json"):
        text = item if isinstance(item, str) and _is_json(item) else json.dumps(item)
        return text.encode("utf-8", "backslashreplace")
    if not isinstance(item, str):
        raise TypeError(f"a representation must be str or bytes, not {type(item).__name__}")
    if mime.startswith("image/") and mime != "image/svg+xml":
        return base64.b64decode(item, validate=False)
    return item.encode("utf-8", "replace")


def _is_json(text):
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def describe_briefly(error):
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:
        text = type(error).__name__
    return text[:500].encode("utf-8", "backslashreplace").decode("utf-8")
