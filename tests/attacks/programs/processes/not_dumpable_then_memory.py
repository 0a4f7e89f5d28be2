"""B18a: hides its /proc files from the manager, then takes shared memory without end.

by: cgroup memory
verdict: out_of_memory
"""
import mmap

tried("not dumpable")
try:
    call(157, 4, 0)
except OSError as error:
    stopped(error)
kept = [mmap.mmap(-1, 32 << 20) for _ in range(32)]
for block in kept:
    for at in range(0, len(block), 4096):
        block[at] = 1
got("1 GiB")
