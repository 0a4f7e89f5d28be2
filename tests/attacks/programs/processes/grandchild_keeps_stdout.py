"""B16: a grandchild holds standard output open and keeps printing.

by: the run ends with its leader
"""
import time

tried("a grandchild that prints")
if os.fork() == 0:
    os.setsid()
    while True:
        os.write(1, b"still here\n")
        time.sleep(0.01)
