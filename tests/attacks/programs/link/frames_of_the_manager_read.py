"""G15: reads what the manager sends on the link, from under the link thread.

by: nothing but its own run is in it
verdict: timeout worker_lost ok
timeout_s: 2
"""
import select
import time

tried("frames of the manager")
until = time.monotonic() + 1
while time.monotonic() < until:
    if select.select([link()], [], [], 0.1)[0]:
        data = os.read(link(), 65536)
        if b"CANARY" in data:
            got(data)
        if not data:
            break
