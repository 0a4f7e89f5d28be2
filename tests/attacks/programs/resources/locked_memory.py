"""A27: all memory locked.

by: RLIMIT_MEMLOCK
stopped: EPERM ENOMEM ENOSYS EAGAIN
"""
refused("mlockall", libc_call, "mlockall", 7)
block = ctypes.create_string_buffer(64 << 20)
refused("mlock", libc_call, "mlock", block, ctypes.c_size_t(64 << 20))
