"""G06a: a frame that comes drop by drop and never ends: heartbeats cannot get through it.

by: the heartbeat watch
verdict: worker_lost timeout
timeout_s: 8
"""
import time

tried("one byte at a time")
os.write(link(), b"\x00\xff\xff\xff")
for _ in range(200):
    try:
        os.write(link(), b"x")
    except OSError:
        break
    time.sleep(0.1)
