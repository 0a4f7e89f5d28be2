"""F06a: something else put on the number of the link.

by: the manager sees the link end
verdict: worker_lost
"""
import stat
import time

tried("dup2 over the link")
for fd in range(3, 64):
    try:
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            os.dup2(os.open("/dev/zero", os.O_RDWR), fd)
    except OSError:
        pass
time.sleep(30)
