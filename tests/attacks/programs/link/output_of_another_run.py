"""G02a: results and displays for runs of the neighbours.

by: the run is known by the link
verdict: worker_lost
"""
import time

tried("a result for another")
send({"type": "result", "run_id": "01a00000-0000-7000-8000-000000000000", "data": {"text/plain": b"forged"}})
time.sleep(5)
