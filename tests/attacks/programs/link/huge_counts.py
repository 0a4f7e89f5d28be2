"""G09: five bytes that promise 2^32 elements, of each kind.

by: limits by type, before anything is set aside
verdict: worker_lost
"""
import time

tried("counts of 2^32")
for head in (b"\xdd", b"\xdf", b"\xdb", b"\xc6", b"\xc9"):
    try:
        send_payload(head + b"\xff\xff\xff\xff")
        send_payload(b"\x82\xa4type\xa6result\xa4data" + head + b"\xff\xff\xff\xff")
    except OSError:
        break
time.sleep(5)
