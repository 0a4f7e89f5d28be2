"""B09: ignores SIGINT and SIGTERM.

by: SIGKILL after the grace time
verdict: timeout
timeout_s: 0.5
"""
import signal
import time

signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
tried("ignored signals")
while True:
    time.sleep(100)
