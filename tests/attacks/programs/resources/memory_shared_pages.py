"""A05: shared anonymous pages, which no rlimit counts.

by: cgroup memory, or the manager's watch
verdict: out_of_memory
"""
import mmap

tried("shared pages")
kept = [mmap.mmap(-1, 32 << 20) for _ in range(32)]
for block in kept:
    for at in range(0, len(block), 4096):
        block[at] = 1
got("1 GiB of shared pages")
