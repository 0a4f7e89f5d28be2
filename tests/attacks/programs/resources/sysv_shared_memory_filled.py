"""A24a: a gigabyte of System V shared memory.

by: seccomp, or charged to the capsule
verdict: ok out_of_memory
"""
tried("shmat of 1 GiB")
libc.shmat.restype = ctypes.c_void_p
try:
    segment = call(29, 0, 1 << 30, 0o1000 | 0o600)
    place = libc.shmat(segment, None, 0)
    ctypes.memset(place, 1, 1 << 30)
    got("1 GiB of System V shared memory")
except OSError as error:
    stopped(error)
