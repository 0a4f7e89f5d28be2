"""B02g: signals by directory notification, leases and message queues.

by: seccomp (F_SETSIG, F_SETOWN), mq_notify reaches only the caller
"""
import fcntl

tried("F_NOTIFY with another owner")
directory = os.open(".", os.O_RDONLY)
for what, act in (("F_SETOWN", lambda: fcntl.fcntl(directory, fcntl.F_SETOWN, 1)),
                  ("F_SETSIG", lambda: fcntl.fcntl(directory, fcntl.F_SETSIG, 9)),
                  ("F_NOTIFY", lambda: fcntl.fcntl(directory, fcntl.F_NOTIFY, 0x80000000 | 0xF))):
    try:
        act()
        if what != "F_NOTIFY":
            got(what)
    except OSError as error:
        stopped(error)
