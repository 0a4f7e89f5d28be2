"""A18a: endless loops in threads that do not hold Python's lock.

by: the wall clock
verdict: timeout
timeout_s: 1
"""
import hashlib
import threading

tried("threads")
block = bytes(32 << 20)


def work():
    while True:
        hashlib.sha256(block).digest()


for _ in range(8):
    threading.Thread(target=work).start()
