"""A08a: /dev/shm filled through a mapping: the write past the end is a bus error.

by: the size of /dev/shm
verdict: crashed out_of_memory
"""
import mmap

tried("/dev/shm by mapping")
file = open("/dev/shm/capsule-attack", "w+b")
file.truncate(1 << 30)
block = mmap.mmap(file.fileno(), 1 << 30)
for at in range(0, len(block), 4096):
    block[at] = 1
got("1 GiB in /dev/shm")
