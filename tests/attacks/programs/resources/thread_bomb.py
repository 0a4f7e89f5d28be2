"""A03: threads until it is refused.

by: cgroup pids, RLIMIT_NPROC
stopped: RuntimeError
size: 2000 20000
"""
import threading

tried("threads")
end = threading.Event()
for _ in range(SIZE):
    try:
        threading.Thread(target=end.wait, daemon=True).start()
    except RuntimeError as error:
        stopped(error)
        break
else:
    got(f"{SIZE} threads")
end.set()
