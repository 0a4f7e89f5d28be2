"""F18d: a value whose representations hang.

by: the wall clock
verdict: timeout ok exception
timeout_s: 1
"""
import time


class Hostile:
    def __repr__(self):
        time.sleep(10**6)

    _repr_html_ = _repr_png_ = _repr_mimebundle_ = __repr__


tried("a hostile value")
Hostile()
