"""F09: objects that rise again in __del__, weak references with callbacks, atexit without end.

by: the worker is destroyed after the run
verdict: ok timeout
timeout_s: 5
"""
import atexit
import weakref

kept = []


class Again:
    def __del__(self):
        kept.append(Again())


tried("resurrection")
first = Again()
weakref.finalize(first, lambda: kept.append(Again()))
atexit.register(lambda: kept.append(Again()))
del first
