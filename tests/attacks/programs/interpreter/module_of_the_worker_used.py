"""F22: the worker's own helper modules called with nonsense.

by: it can hurt only its own run
verdict: ok exception worker_lost crashed timeout
timeout_s: 5
"""
import _capsule

tried("the native module")
for name in dir(_capsule):
    act = getattr(_capsule, name)
    if callable(act) and not name.startswith("__"):
        for arguments in ((), (None,), (b"x" * 100000,), ("x", "y"), (-1, -1, -1), ("x", "y", {}, {}, "z"), (object(),) * 4):
            try:
                act(*arguments)
            except Exception:
                pass
