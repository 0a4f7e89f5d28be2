"""A03a: clone() without libc: threads that the thread library knows nothing of.

by: cgroup pids, RLIMIT_NPROC; the wall clock does not matter, the processes limit does
stopped: EAGAIN EPERM
"""
import mmap
import time

CLONE_VM, CLONE_FS, CLONE_FILES, SIGCHLD = 0x100, 0x200, 0x400, 17
tried("clone")
for _ in range(2000):
    try:
        if call(56, CLONE_FS | CLONE_FILES | SIGCHLD, None, None, None, None) == 0:
            time.sleep(30)
            os._exit(0)
    except OSError as error:
        stopped(error)
        break
else:
    got("2000 clones")
