"""The main program ends; a thread that never does stays behind."""
import threading
import time


def work():
    while True:
        time.sleep(0.05)


threading.Thread(target=work).start()
print("main is done", flush=True)
