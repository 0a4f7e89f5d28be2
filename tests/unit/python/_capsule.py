"""Stands in for the worker's builtin module: keeps what would have been sent."""
import os

BUNDLE_BYTES = 12 << 20
TRACEBACK_BYTES = 256 << 10

displays = []
results = []
cancelled = ""
_pid = os.getpid()


def send_display(run_id, display_id, update, data, metadata_json):
    if os.getpid() != _pid:
        raise RuntimeError("this process is not connected to Capsule (a forked child?)")
    assert isinstance(update, bool) and all(isinstance(item, bytes) for item in data.values())
    displays.append((run_id, display_id, update, data, metadata_json))


def send_result(run_id, execution_count, data, metadata_json):
    assert all(isinstance(item, bytes) for item in data.values())
    results.append((run_id, execution_count, data, metadata_json))


def cancelled_run():
    return cancelled


def flush_c():
    pass
