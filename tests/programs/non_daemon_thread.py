"""The main program ends while a thread is still to print."""
import threading
import time


def work():
    time.sleep(0.3)
    print("from the thread")


threading.Thread(target=work).start()
print("main is done")
