"""G08: a million arrays within each other.

by: the depth limit
verdict: worker_lost
payloads: 2
"""
import time

tried("nested arrays")
opening = payload(b"\x91", b"\x81\xa1a")
try:
    send_payload(b"\x82\xa4type\xa6result\xa4data" + opening * 1_000_000)
except OSError:
    pass  # the link ended before all of it was written
time.sleep(5)
