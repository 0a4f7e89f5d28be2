"""G05: a length of 4 GiB.

by: the frame limit, before anything is set aside
verdict: worker_lost
"""
import time

tried("length 0xFFFFFFFF")
os.write(link(), b"\xff\xff\xff\xff" + b"x" * 1000)
time.sleep(5)
