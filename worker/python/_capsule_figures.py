"""matplotlib: figures are shown without show(), and show() shows. Nothing here imports matplotlib."""
import importlib.util
import io
import sys

_MAX_FIGURES = 100  # shown at the end of one run

display = None  # the function; set by the module capsule


def is_figure(value):
    kind = getattr(sys.modules.get("matplotlib.figure"), "Figure", None)
    return kind is not None and issubclass(type(value), kind)


def png(figure, shown=None):
    """The picture, or None when it is the one in `shown`."""
    buffer = io.BytesIO()
    figure.canvas.print_figure(buffer, format="png", facecolor=figure.get_facecolor(), bbox_inches="tight")
    picture = buffer.getvalue()
    return None if shown is not None and shown.get(figure) == picture else picture


def show_open(shown):
    """Displays and closes what pyplot has open, oldest first. `shown`: as in png(); those are only closed."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    numbers = getattr(pyplot, "get_fignums", list)()
    for number in numbers[:_MAX_FIGURES]:
        figure = pyplot.figure(number)
        if figure not in shown or _has_changed(figure, shown):
            display(figure)
        pyplot.close(figure)


def _has_changed(figure, shown):
    try:
        return png(figure, shown) is not None
    except Exception:
        return False  # what cannot be drawn was reported when it was displayed


class _PyplotFinder:
    """Waits for matplotlib.pyplot to be imported and makes its show() display."""

    def find_spec(self, name, path=None, target=None):
        if name != "matplotlib.pyplot":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        plain = spec.loader.exec_module

        def exec_module(module):
            plain(module)
            _adopt(module)

        spec.loader.exec_module = exec_module
        return spec


def _adopt(pyplot):
    plain_show = pyplot.show

    def show(*args, **kwargs):
        """Display and close all open figures."""
        if pyplot.get_backend().lower() != "agg":
            return plain_show(*args, **kwargs)
        show_open({})

    pyplot.show = show


sys.meta_path.insert(0, _PyplotFinder())
