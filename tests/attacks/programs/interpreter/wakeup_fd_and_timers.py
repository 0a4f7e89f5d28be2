"""F12: signal wake-up descriptor on nonsense, interval timers with a microsecond's rest.

by: the link thread is native
verdict: ok timeout crashed
timeout_s: 3
"""
import signal
import socket
import time

tried("wake-ups and timers")
left, right = socket.socketpair()
left.setblocking(False)
signal.set_wakeup_fd(left.fileno(), warn_on_full_buffer=False)
signal.signal(signal.SIGALRM, lambda *a: None)
signal.setitimer(signal.ITIMER_REAL, 0.00001, 0.00001)
until = time.monotonic() + 0.5
while time.monotonic() < until:
    pass
signal.setitimer(signal.ITIMER_REAL, 0)
