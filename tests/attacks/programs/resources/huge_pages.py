"""A27a: huge pages.

by: there are none
stopped: ENOMEM EPERM EINVAL
"""
import mmap

refused("MAP_HUGETLB", mmap.mmap, -1, 1 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)
