"""E13: the descriptors of a fresh worker: standard streams, the link, timer and files of its heartbeat.

by: the descriptors layer
"""
import stat

tried("descriptors 0 to 4095")
found = {}
for fd in range(4096):
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        continue
    try:
        found[fd] = os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        found[fd] = "?"
    if fd > 2 and not (stat.S_ISSOCK(mode) or found[fd].startswith("/proc/") or "[timerfd]" in found[fd]):
        got(f"{fd}: {found[fd]}")
sockets = [fd for fd, name in found.items() if name.startswith("socket:")]
if len(sockets) != 1 or len(found) > 7:
    got(found)
