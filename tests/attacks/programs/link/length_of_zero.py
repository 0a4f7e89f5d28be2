"""G06: a length of zero.

by: the frame limit
verdict: worker_lost
"""
import time

tried("length 0")
os.write(link(), b"\0\0\0\0" * 10)
time.sleep(5)
