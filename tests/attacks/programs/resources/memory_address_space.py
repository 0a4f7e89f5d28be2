"""A07: a reservation of 1 TiB that nobody touches: free, or refused.

by: nothing is used
"""
import mmap

tried("1 TiB PROT_NONE")
try:
    mmap.mmap(-1, 1 << 40, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, prot=0)
except (OSError, MemoryError) as error:
    stopped(error)
