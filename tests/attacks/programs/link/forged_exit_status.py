"""G01b: `finished exit` with exit statuses out of range and a wrong error.

by: the strict decoder
verdict: exit worker_lost exception
timeout_s: 5
"""
import time

tried("an exit status of 2^40")
send({"type": "finished", "run_id": run_id(), "verdict": "exit", "exit_status": 1 << 40})
time.sleep(5)
