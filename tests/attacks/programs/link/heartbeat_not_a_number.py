"""G03a: a heartbeat whose load is not a number.

by: the strict decoder
verdict: worker_lost
"""
import time

tried("not a number")
send({"type": "heartbeat", "seq": 1, "cpu_percent": float("nan")})
time.sleep(5)
