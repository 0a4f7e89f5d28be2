"""A01: forks until it is refused.

by: cgroup pids, RLIMIT_NPROC
stopped: EAGAIN
size: 2000 20000
"""
import time

tried("fork")
for _ in range(SIZE):
    try:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
    except OSError as error:
        stopped(error)
        break
else:
    got(f"{SIZE} processes")
