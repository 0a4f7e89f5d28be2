"""G12a: answers that nobody asked for.

by: the state machine of the link
verdict: ok worker_lost
timeout_s: 5
"""
import time

tried("answers")
for n in range(100):
    try:
        send({"type": "ack", "re": n})
    except OSError:
        break
time.sleep(0.3)
