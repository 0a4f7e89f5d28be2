"""A04c: the memory of a native library, untouched first and then written.

by: RLIMIT_DATA, cgroup memory
verdict: ok out_of_memory
"""
import mmap

tried("private mappings")
kept = []
try:
    for _ in range(64):
        block = mmap.mmap(-1, 16 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        for at in range(0, len(block), 4096):
            block[at] = 1
        kept.append(block)
    got(f"{len(kept) * 16} MiB")
except (MemoryError, OSError) as error:
    stopped(error)
