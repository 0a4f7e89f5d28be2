"""A28: one page in each 2 MiB of a huge reservation: page tables, which count as nobody's resident memory.

by: cgroup memory, RLIMIT_DATA
verdict: ok out_of_memory
timeout_s: 60
"""
import mmap

tried("page tables")
kept = []
try:
    for _ in range(40):
        block = mmap.mmap(-1, 16 << 30, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | 0x4000)
        kept.append(block)
        for at in range(0, len(block), 2 << 20):
            block[at]
    got("page tables of 640 GiB")
except (OSError, MemoryError) as error:
    stopped(error)
