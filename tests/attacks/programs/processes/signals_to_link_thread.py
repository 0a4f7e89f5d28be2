"""B39: every catchable signal at every thread, the link thread too, a hundred times.

by: the link thread blocks signals
verdict: ok
"""
import signal

for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT}:
    try:
        signal.signal(number, signal.SIG_IGN)
    except OSError:
        pass
tried("signals at threads")
for _ in range(100):
    for thread in os.listdir("/proc/self/task"):
        for number in (1, 2, 10, 12, 13, 14, 15, 17, 28, 29):
            call(234, os.getpid(), int(thread), number)
