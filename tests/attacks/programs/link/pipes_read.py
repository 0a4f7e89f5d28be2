"""G23a: reads from its own output pipes, through /proc: what others wrote is not there.

by: the pipes are its run's own
"""
for fd in (1, 2):
    try:
        other = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK)
        data = os.read(other, 65536)
        if b"CANARY" in data:
            got(data)
        os.close(other)
    except OSError as error:
        stopped(error)
tried("output pipes read")
