"""F09a: an exit handler that never returns.

by: the wall clock
verdict: timeout
timeout_s: 1
"""
import atexit
import time

tried("atexit")
atexit.register(lambda: time.sleep(10**6))
