"""An endless loop in C that neither gives the GIL away nor looks for signals."""
import collections
import itertools

print("gone", flush=True)
collections.deque(itertools.repeat(0), maxlen=0)
