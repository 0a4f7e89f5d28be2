"""Catches the interrupt and goes on."""
import time

print("stubborn", flush=True)
while True:
    try:
        time.sleep(0.05)
    except KeyboardInterrupt:
        pass
