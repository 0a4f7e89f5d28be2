"""C32: locks and leases on shared files of the system, to hold up others.

by: a private root; leases need ownership
stopped: EACCES EPERM EROFS ENOENT EINVAL EAGAIN EBADF
"""
import fcntl

for path in ("/etc/passwd", "/usr/lib/python3.11/os.py"):
    with open(path, "rb") as file:
        refused(f"write lease on {path}", fcntl.fcntl, file, 1024, fcntl.F_WRLCK)
        refused(f"write lock on {path}", fcntl.lockf, file, fcntl.LOCK_EX | fcntl.LOCK_NB)
