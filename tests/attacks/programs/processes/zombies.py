"""B27: a thousand children that nobody waits for.

by: the processes limit
stopped: EAGAIN
"""
tried("zombies")
try:
    for _ in range(1000):
        if os.fork() == 0:
            os._exit(0)
    got("1000 zombies")
except OSError as error:
    stopped(error)
