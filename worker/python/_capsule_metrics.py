"""Figures that a program keeps of itself: capsule.metric().

Each is sent at once, as long as there are not too many of them; then what follows is added up here and sent a little
later, or with the end of the run. So a loop may count each of its rounds.
"""
import _thread
import os
from time import monotonic, sleep

import _capsule
import _capsule_interrupt
import _capsule_streams

_KINDS = ("counter", "gauge")
_NAME_CHARS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")
_RESERVED_ENDS = ("_total", "_bucket", "_count", "_sum", "_created", "_info")
_RESERVED_LABELS = ("le", "quantile")
_BURST = 200  # figures that are sent at once
_PER_SECOND = 200  # and in the long run
_LARGEST = 1e290  # a value; the link takes 1e300, and what is added up here stays below that
_PENDING = 64  # different ones that wait here; with more, the program waits

_lock = _thread.RLock()  # a signal handler may count, too
_pending = {}  # (name, kind, labels) -> value
_tokens = float(_BURST)
_filled_at = 0.0


def metric(name, value=1, /, *, kind="counter", **labels):
    """Counts `value` more under `name`; with kind "gauge" it is the value from now on.

    It appears in the manager's metrics as capsule_user_NAME_total, or capsule_user_NAME. Names are [a-z_][a-z0-9_]*;
    label values are texts of 1 to 64 bytes, four at most. The manager takes a limited number of names and series of all
    programs together, and counts what it leaves out. Raises ValueError or TypeError for what can never be taken, and
    RuntimeError in a forked child.
    """
    key = (_checked_name(name, kind), kind, _checked_labels(labels))
    value = _checked_value(value, kind)
    with _lock:
        _pending[key] = value if kind == "gauge" else min(_pending.get(key, 0.0) + value, _LARGEST)
        if _has_token():
            _send_pending()
        while len(_pending) >= _PENDING:
            sleep(1 / _PER_SECOND)
            if _has_token():
                _send_pending()


def end_run():
    """What waits is sent: a run's figures do not outlive it unseen."""
    if _pending:
        with _lock:
            _send_pending()


def _checked_name(name, kind):
    if kind not in _KINDS:
        raise ValueError('kind is "counter" or "gauge"')
    if not isinstance(name, str):
        raise TypeError("a metric's name is a string")
    if kind == "counter":
        name = name.removesuffix("_total")
    if not _is_name(name) or name.endswith(_RESERVED_ENDS):
        raise ValueError(f"no name for a metric: {name!r:.100} ([a-z_][a-z0-9_]*, at most {_capsule.METRIC_NAME_BYTES} "
                         f"characters, not ending in {', '.join(_RESERVED_ENDS)})")
    return str(name)


def _is_name(name):
    return (0 < len(name) <= _capsule.METRIC_NAME_BYTES and not name.startswith("__") and not name[0].isdigit()
            and _NAME_CHARS.issuperset(name))


def _checked_labels(labels):
    if len(labels) > _capsule.METRIC_LABELS:
        raise ValueError(f"a metric has at most {_capsule.METRIC_LABELS} labels")
    return tuple((_checked_label_name(name), _checked_label_value(value)) for name, value in sorted(labels.items()))


def _checked_label_name(name):
    if not _is_name(name) or name in _RESERVED_LABELS:
        raise ValueError(f"no name for a label: {name!r:.100}")
    return name


def _checked_label_value(value):
    text = str(value)
    size = len(text.encode("utf-8", "replace")) if len(text) <= _capsule.METRIC_LABEL_BYTES else len(text)
    if not 0 < size <= _capsule.METRIC_LABEL_BYTES or not text.isprintable():
        raise ValueError(f"a label's value is a printable text of 1 to {_capsule.METRIC_LABEL_BYTES} bytes")
    return text


def _checked_value(value, kind):
    number = float(value)
    if not -_LARGEST <= number <= _LARGEST:  # nor not-a-number
        raise ValueError(f"a metric's value is a number from -{_LARGEST:g} to {_LARGEST:g}")
    if kind == "counter" and number < 0:
        raise ValueError("a counter only grows; kind=\"gauge\" may fall")
    return number


def _has_token():
    global _tokens, _filled_at
    now = monotonic()
    _tokens = min(float(_BURST), _tokens + (now - _filled_at) * _PER_SECOND)
    _filled_at = now
    if _tokens < 1:
        return False
    _tokens -= 1
    return True


def _forget_in_child():
    """What waits is the parent's to send."""
    global _lock
    _lock = _thread.RLock()  # another thread may have held it
    _pending.clear()


os.register_at_fork(after_in_child=_forget_in_child)


def _send_pending():
    run = _capsule_interrupt.current
    run_id = _capsule_streams.run_of_thread() or ("" if run is None else run.id)
    while _pending:
        (name, kind, labels), value = _pending.popitem()
        _capsule.send_metric(run_id, name, kind, value, dict(labels))
