"""F15b: trace and profile hooks and audit hooks that never end.

by: the wall clock
verdict: timeout
timeout_s: 0.7
"""
import time

tried("hooks")
sys.addaudithook(lambda *a: time.sleep(10**6) if a[0] == "open" else None)
open("/dev/null")
