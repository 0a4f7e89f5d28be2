"""G11: valid little frames without end.

by: limits on frames and bytes a second
verdict: ok worker_lost timeout
timeout_s: 4
size: 200000 5000000
"""
tried("a flood of frames")
block = frame({"type": "heartbeat", "seq": 1}) * 1000
try:
    for _ in range(SIZE // 1000):
        view = memoryview(block)
        while view:
            view = view[os.write(link(), view):]
except OSError as error:
    stopped(error)
