"""D15: mappings over the vdso, over libc, over its own stack: its own process only.

by: the wait status
verdict: crashed ok
"""
tried("MAP_FIXED")
place = next(line for line in open("/proc/self/maps") if "[vdso]" in line).split("-")[0]
libc.mmap.restype = ctypes.c_void_p
libc.mmap(ctypes.c_void_p(int(place, 16)), ctypes.c_size_t(4096), 0, 0x32, -1, ctypes.c_long(0))
import time
for _ in range(1000):
    time.time()
    libc.clock_gettime(0, ctypes.create_string_buffer(16))
