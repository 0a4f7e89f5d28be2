"""B30: a vfork child that never execs: its parent waits in the kernel.

by: the wall clock
verdict: timeout
timeout_s: 1
"""
import time

tried("vfork")
if call(58) == 0:
    while True:
        time.sleep(1)
