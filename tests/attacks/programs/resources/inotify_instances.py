"""A22: inotify instances and watches, which the kernel counts by user.

by: the kernel's limit by user, or seccomp
stopped: EMFILE ENOSPC ENOSYS EPERM
"""
tried("inotify")
kept = []
try:
    for _ in range(100000):
        kept.append(call(294, 0))
    got("100000 instances")
except OSError as error:
    stopped(error)
