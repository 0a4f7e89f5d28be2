"""D16: memory at address 0, which kernel bugs of the past jumped to.

by: the kernel's least address
stopped: EPERM EACCES EINVAL
"""
libc.mmap.restype = ctypes.c_long
refused("mmap at 0", libc_call, "mmap", ctypes.c_void_p(0), ctypes.c_size_t(4096), 7, 0x32, -1, ctypes.c_long(0))
