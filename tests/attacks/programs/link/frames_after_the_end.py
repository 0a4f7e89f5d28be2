"""G12: two ends, and results after them.

by: the state machine of the run
verdict: ok exception worker_lost
timeout_s: 5
"""
import time

tried("two ends")
payload = frame(finished("ok")) + frame(finished("exception")) + frame({"type": "result", "run_id": run_id(), "data": {"text/plain": b"late"}})
os.write(link(), payload)
time.sleep(2)
