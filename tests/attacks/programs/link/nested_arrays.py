"""G08: a million arrays within each other.

by: the depth limit
verdict: worker_lost
"""
import time

tried("nested arrays")
for opening in (b"\x91", b"\x81\xa1a"):
    payload = b"\x82\xa4type\xa6result\xa4data" + opening * 1_000_000
    try:
        send_payload(payload)
    except OSError:
        break
time.sleep(5)
