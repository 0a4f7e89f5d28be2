"""B02d: pids with garbage in the upper half of the register: the kernel looks at 32 bits, so must the filter.

by: the keeper's guard
stopped: EPERM ESRCH EINVAL
"""
for high in (1 << 32, 1 << 63, 0xFFFFFFFF << 32):
    for number in (62, 200):
        refused(f"{number} of 1 with {high:x}", call, number, ctypes.c_long(high | 1).value, 9)
    refused(f"prlimit of 1 with {high:x}", call, 302, ctypes.c_long(high | 1).value, 0, (ctypes.c_ulong * 2)(0, 0), None)
