"""D21: clocks set and bent.

by: no capabilities, seccomp
stopped: EPERM ENOSYS EINVAL
"""
moment = (ctypes.c_long * 2)(0, 0)
refused("clock_settime", call, 227, 0, moment)
refused("settimeofday", call, 164, moment, None)
refused("adjtimex", call, 159, (ctypes.c_uint32 * 64)(1))
refused("clock_adjtime", call, 305, 0, (ctypes.c_uint32 * 64)(1))
