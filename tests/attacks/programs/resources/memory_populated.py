"""A05b: one shared mapping with MAP_POPULATE: all of it inside one system call.

by: cgroup memory, or the manager's watch
verdict: out_of_memory ok
"""
import mmap

tried("MAP_POPULATE")
try:
    block = mmap.mmap(-1, 1 << 30, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | 0x8000)
    touched = sum(block[at] == 0 for at in range(0, len(block), 1 << 20))
    call(27, ctypes.addressof(ctypes.c_char.from_buffer(block)), 4096, bytes(1))
    for at in range(0, len(block), 4096):
        block[at] = 1
    got("1 GiB")
except OSError as error:
    stopped(error)
