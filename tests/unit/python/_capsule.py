"""Stands in for the worker's builtin module: keeps what would have been sent, in one list and in its order."""
import os

BUNDLE_BYTES = 12 << 20
TRACEBACK_BYTES = 256 << 10
STACK_BYTES = 16 << 10
METRIC_NAME_BYTES = 64
METRIC_LABELS = 4
METRIC_LABEL_BYTES = 64

# ("display", run_id, display_id, update, data, metadata), ("result", run_id, count, data, metadata) and
# ("metric", run_id, name, kind, value, labels as pairs)
sent = []
read_cancelled = lambda: ""  # noqa: E731  the driver of a worker process puts its own here
_pid = os.getpid()


def send_display(run_id, display_id, update, data, metadata_json):
    if os.getpid() != _pid:
        raise RuntimeError("this process is not connected to Capsule (a forked child?)")
    _check_bundle(data)
    sent.append(("display", run_id, display_id, bool(update), dict(data), metadata_json))


def send_result(run_id, execution_count, data, metadata_json):
    _check_bundle(data)
    sent.append(("result", run_id, execution_count, dict(data), metadata_json))


def send_metric(run_id, name, kind, value, labels):
    if os.getpid() != _pid:
        raise RuntimeError("this process is not connected to Capsule (a forked child?)")
    sent.append(("metric", run_id, name, kind, value, sorted(labels.items())))


def cancelled_run():
    return read_cancelled()


def flush_c():
    pass


def close_memory_reserve():
    pass


def open_memory_reserve():
    pass


def has_standard_descriptors():
    try:
        return all(os.fstat(fd) for fd in (0, 1, 2))
    except OSError:
        return False


def _check_bundle(data):
    for mime, item in data.items():
        if not isinstance(mime, str) or not isinstance(item, bytes):
            raise TypeError("a bundle maps str to bytes")
