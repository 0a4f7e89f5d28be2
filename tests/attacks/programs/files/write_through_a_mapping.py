"""C01b: a library mapped shared and writable.

by: a read-only root
stopped: EACCES EPERM EROFS
"""
import mmap

with open("/usr/lib/python3.11/os.py", "rb") as file:
    refused("a writable mapping", mmap.mmap, file.fileno(), 4096, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    page = mmap.mmap(file.fileno(), 4096, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
    place = next(int(line.split("-")[0], 16) for line in open("/proc/self/maps") if "/os.py" in line)
    refused("mprotect", libc_call, "mprotect", ctypes.c_void_p(place), ctypes.c_size_t(4096), 3)
