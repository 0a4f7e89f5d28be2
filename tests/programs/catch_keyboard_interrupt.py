"""Catches the interrupt and goes on."""
import time

announced = False
while True:
    try:
        if not announced:
            announced = True
            print("stubborn", flush=True)
        time.sleep(0.05)
    except KeyboardInterrupt:
        pass
