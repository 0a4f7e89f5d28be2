"""A15a: each of many children opens as many files as it can.

by: RLIMIT_NOFILE and the number of processes
stopped: EMFILE EAGAIN
"""
import time


def fill():
    try:
        while True:
            os.open("/dev/null", os.O_RDONLY)
    except OSError as error:
        stopped(error)
    time.sleep(5)


tried("open files in children")
try:
    for _ in range(200):
        if os.fork() == 0:
            fill()
            os._exit(0)
except OSError as error:
    stopped(error)
time.sleep(0.3)
