"""A24b: POSIX message queues left behind, as large as they may be.

by: RLIMIT_MSGQUEUE, or seccomp
"""
tried("mq_open")
total = 0
try:
    for n in range(1000):
        attributes = (ctypes.c_long * 8)(0, 10, 8192)
        call(240, f"capsule-attack-{n}".encode(), os.O_CREAT | os.O_RDWR, 0o600, attributes)
        total += 80 << 10
except OSError as error:
    stopped(error)
if total > 64 << 20:
    got(f"{total >> 20} MiB of queues")
