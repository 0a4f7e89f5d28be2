"""B02a: every pid, with the signal that only asks.

by: the keeper's guard, the pid namespace
stopped: EPERM ESRCH
size: 3000 65536
timeout_s: 60
"""
for pid in range(1, SIZE):
    if pid not in (os.getpid(), os.getpgrp()):
        refused(pid, os.kill, pid, 0)
