"""A02a: left-over children that ignore every signal and block all of them.

by: the end of the capsule's pid namespace
"""
import signal
import time

for _ in range(10):
    if os.fork() == 0:
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        os.setsid()
        time.sleep(600)
tried("children that cannot be asked")
