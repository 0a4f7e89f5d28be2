"""Ignores the interrupt and goes on."""
import signal
import time

signal.signal(signal.SIGINT, signal.SIG_IGN)
print("deaf", flush=True)
while True:
    time.sleep(0.05)
