"""A23: ranges of a file locked one by one: kernel memory.

by: charged to the capsule
verdict: ok out_of_memory
"""
import fcntl

tried("locks")
with open("locked", "wb") as file:
    try:
        for n in range(4000):
            fcntl.lockf(file, fcntl.LOCK_EX, 1, 2 * n)
    except OSError as error:
        stopped(error)
