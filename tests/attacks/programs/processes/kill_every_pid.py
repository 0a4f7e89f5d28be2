"""B02a: every pid, with the signal that only asks.

by: the keeper's guard, the pid namespace
stopped: EPERM ESRCH
size: 3000 65536
timeout_s: 60
"""
own = {os.getpid(), os.getpgrp(), *map(int, os.listdir("/proc/self/task"))}
for pid in range(1, SIZE):
    if pid not in own:
        refused(pid, os.kill, pid, 0)
