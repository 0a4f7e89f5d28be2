"""B15a: a child goes on while its parent dies of SIGKILL.

by: the end of the capsule's pid namespace
verdict: crashed
signal: 9
"""
import time

tried("an orphan")
if os.fork() == 0:
    os.setsid()
    time.sleep(600)
os.kill(os.getpid(), 9)
