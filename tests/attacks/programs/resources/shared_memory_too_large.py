"""A07a: a SharedMemory of 1 GiB, written.

by: the size of /dev/shm
verdict: crashed exception out_of_memory ok
"""
from multiprocessing import shared_memory

tried("SharedMemory of 1 GiB")
try:
    block = shared_memory.SharedMemory(name="capsule-attack", create=True, size=1 << 30)
    for at in range(0, 1 << 30, 4096):
        block.buf[at] = 1
    got("1 GiB in /dev/shm")
except (OSError, MemoryError) as error:
    stopped(error)
