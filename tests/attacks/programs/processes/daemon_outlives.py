"""B15: a daemon by double fork and setsid outlives the run.

by: the end of the capsule's pid namespace
"""
import time

tried("a daemon")
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in range(3):
            os.close(fd)
        time.sleep(600)
    os._exit(0)
os.wait()
