"""B36a: a child sends its parent SIGSYS.

by: the keeper knows who sent it
verdict: crashed
signal: 31
"""
import time

tried("SIGSYS from a child")
if os.fork() == 0:
    os.kill(os.getppid(), 31)
    os._exit(0)
time.sleep(5)
