"""B10: all signals blocked in every thread.

by: SIGKILL after the grace time
verdict: timeout
timeout_s: 0.5
"""
import signal
import threading
import time


def sleep():
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    time.sleep(100)


tried("blocked signals")
for _ in range(3):
    threading.Thread(target=sleep).start()
sleep()
