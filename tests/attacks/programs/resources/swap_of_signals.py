"""A32: a million queued real-time signals.

by: RLIMIT_SIGPENDING
stopped: EAGAIN EPERM
timeout_s: 60
"""
import signal

number = signal.SIGRTMIN + 3
signal.pthread_sigmask(signal.SIG_BLOCK, {number})
tried("queued signals")
information = (ctypes.c_int * 32)(number, 0, -1)
try:
    for _ in range(1_000_000):
        call(129, os.getpid(), number, information)
    got("a million queued signals")
except OSError as error:
    stopped(error)
