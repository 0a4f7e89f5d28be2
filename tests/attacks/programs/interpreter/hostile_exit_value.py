"""F18: SystemExit with an object whose text never comes.

by: the wall clock
verdict: timeout exit exception
timeout_s: 1
"""
import time


class Hostile:
    def __str__(self):
        time.sleep(10**6)

    __repr__ = __str__


tried("SystemExit(object)")
raise SystemExit(Hostile())
