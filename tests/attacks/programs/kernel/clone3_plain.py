"""D06b: clone3 without any namespace: its arguments are out of a filter's sight, so it is not there at all.

by: seccomp
stopped: ENOSYS
"""
tried("clone3")
try:
    if call(435, (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17), 88) == 0:
        os._exit(0)
    got("clone3")
except OSError as error:
    stopped(error)
