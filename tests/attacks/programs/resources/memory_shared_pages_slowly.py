"""A05a: the same, a little at a time.

by: cgroup memory, or the manager's watch
verdict: out_of_memory
timeout_s: 60
"""
import mmap
import time

tried("shared pages, slowly")
kept = []
for _ in range(512):
    kept.append(mmap.mmap(-1, 2 << 20))
    for at in range(0, 2 << 20, 4096):
        kept[-1][at] = 1
    time.sleep(0.002)
got("1 GiB of shared pages")
