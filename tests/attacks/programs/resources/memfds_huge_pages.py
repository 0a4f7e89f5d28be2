"""A09a: memfds of huge pages.

by: there are none to be had
"""
tried("MFD_HUGETLB")
try:
    fd = os.memfd_create("huge", 4)
    os.ftruncate(fd, 1 << 30)
    import mmap
    block = mmap.mmap(fd, 1 << 30)
    got("1 GiB of huge pages")
except (OSError, MemoryError) as error:
    stopped(error)
