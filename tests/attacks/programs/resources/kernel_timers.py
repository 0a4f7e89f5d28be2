"""A21: timers without end.

by: RLIMIT_SIGPENDING, or seccomp
stopped: EAGAIN EPERM ENOSYS
"""
tried("timer_create")
place = ctypes.create_string_buffer(8)
try:
    for _ in range(200000):
        call(222, 0, None, place)
    got("200000 timers")
except OSError as error:
    stopped(error)
