"""G11a: displays of a megabyte without end, past the wait for an answer.

by: limits on frames and bytes a second, the client's budget
verdict: ok worker_lost timeout output_limit
timeout_s: 4
size: 30 500
"""
tried("a flood of displays")
try:
    for n in range(SIZE):
        send({"type": "display", "id": n, "run_id": run_id(), "data": {"text/plain": b"x" * (1 << 20)}})
except OSError as error:
    stopped(error)
