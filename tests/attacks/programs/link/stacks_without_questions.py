"""G12b: stacks and reports of namespaces that nobody asked for, as large as they may be.

by: an answer belongs to a question of the manager
verdict: worker_lost
timeout_s: 5
"""
import time

tried("stacks and reports")
for n in range(100):
    try:
        send({"type": "stack", "run_id": f"run-{n}", "text": b"x" * 16384})
        send({"type": "report", "re": n, "json": b'{"list":[]}'})
    except OSError:
        break
time.sleep(0.3)
