"""A02: a bomb of short-lived processes, each in a session of its own: none is there long enough to be killed alone.

by: the end of the capsule's pid namespace
"""
import time


def chain():
    while True:
        try:
            if os.fork():
                os._exit(0)
            os.setsid()
        except OSError:
            time.sleep(0.001)


tried("chains")
for _ in range(8):
    if os.fork() == 0:
        chain()
time.sleep(0.3)
