"""What a program that runs in Capsule can use: display(), small wrappers for text and pictures, metric().

display() is also a builtin.
"""
import builtins
import os

import _capsule
import _capsule_bundle
import _capsule_figures
import _capsule_interrupt
import _capsule_streams
from _capsule_metrics import metric

__all__ = ["display", "update_display", "DisplayHandle", "HTML", "Markdown", "Latex", "SVG", "JSON", "Image", "metric"]

_MAX_DISPLAY_ID_CHARS = 256


def display(*objects, include=None, exclude=None, metadata=None, transient=None, display_id=None, raw=False, **_):
    """Shows objects at once, in the order of everything else that is output.

    display_id: a name by which update_display() can change it later; True makes one. Returns a DisplayHandle when
    there is an id. raw: the objects are dicts from MIME type to data. Raises RuntimeError in a forked child.
    """
    if display_id is None and isinstance(transient, dict):
        display_id = transient.get("display_id")
    handle = None
    if display_id is not None:
        handle = DisplayHandle(None if display_id is True else display_id)
    for item in objects:
        _send(item, "" if handle is None else handle.display_id, False, include, exclude, metadata, raw)
    return handle


def update_display(item, *, display_id, include=None, exclude=None, metadata=None, raw=False, **_):
    """Replaces what was displayed under `display_id`."""
    _send(item, DisplayHandle(display_id).display_id, True, include, exclude, metadata, raw)


class DisplayHandle:
    """A display that can be changed."""

    def __init__(self, display_id=None):
        if display_id is None:
            display_id = os.urandom(16).hex()
        if not isinstance(display_id, str) or not 0 < len(display_id) <= _MAX_DISPLAY_ID_CHARS:
            raise ValueError(f"display_id must be a string of 1 to {_MAX_DISPLAY_ID_CHARS} characters")
        self.display_id = display_id

    def __repr__(self):
        return f"<DisplayHandle display_id={self.display_id}>"

    def display(self, item, **options):
        display(item, display_id=self.display_id, **options)

    def update(self, item, **options):
        update_display(item, display_id=self.display_id, **options)


def _send(item, display_id, update, include, exclude, metadata, raw):
    if raw:
        data, own_metadata = _capsule_bundle.raw_bundle(item)
    else:
        data, own_metadata = _capsule_bundle.bundle(item, include, exclude)
    run = _capsule_interrupt.current
    run_id = _capsule_streams.run_of_thread() or ("" if run is None else run.id)
    _capsule_streams.flush()
    _capsule.flush_c()
    _capsule.send_display(run_id, display_id, update, data, _capsule_bundle.merged_metadata(own_metadata, metadata))
    if run is not None and _capsule_figures.is_figure(item):
        run.shown_figures[item] = data.get("image/png")


class _Text:
    """Text of one MIME type."""

    _mime = "text/plain"

    def __init__(self, data=None, *, filename=None):
        if (data is None) == (filename is None):
            raise ValueError("give either data or filename")
        if filename is not None:
            with open(filename, encoding="utf-8") as file:
                data = file.read()
        self.data = data

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {self._mime: self.data}


class HTML(_Text):
    _mime = "text/html"


class Markdown(_Text):
    _mime = "text/markdown"


class Latex(_Text):
    _mime = "text/latex"


class SVG(_Text):
    _mime = "image/svg+xml"


class JSON(_Text):
    """Any object that json.dumps takes, or JSON text."""

    _mime = "application/json"


class Image:
    """A PNG, JPEG, GIF or WebP picture, from bytes or a file."""

    _SIGNATURES = ((b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"),
                   (b"RIFF", "image/webp"))

    def __init__(self, data=None, *, filename=None, width=None, height=None):
        if (data is None) == (filename is None):
            raise ValueError("give either data or filename")
        if filename is not None:
            with open(filename, "rb") as file:
                data = file.read()
        self.data = bytes(data)
        self._mime = next((mime for start, mime in self._SIGNATURES if self.data.startswith(start)), None)
        if self._mime is None:
            raise ValueError("not a PNG, JPEG, GIF or WebP picture")
        self._size = {key: value for key, value in (("width", width), ("height", height)) if value is not None}

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {self._mime: self.data}, {self._mime: self._size} if self._size else {}


builtins.display = _capsule_figures.display = display
