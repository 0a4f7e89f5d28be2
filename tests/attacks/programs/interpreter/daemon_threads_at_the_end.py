"""F30: daemon threads that are in the middle of everything when the interpreter ends.

by: the result is sent before
verdict: ok
"""
import threading

tried("daemon threads")


def work():
    while True:
        [bytes(100) for _ in range(1000)]


for _ in range(10):
    threading.Thread(target=work, daemon=True).start()
