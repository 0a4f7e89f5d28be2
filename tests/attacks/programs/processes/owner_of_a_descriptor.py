"""B02e: F_SETOWN and F_SETSIG: the kernel sends a signal of one's choice to a pid of one's choice.

by: seccomp (arguments of fcntl)
stopped: EPERM ESRCH ENOSYS
"""
import fcntl

out, into = os.pipe()
refused("F_SETOWN 1", fcntl.fcntl, out, fcntl.F_SETOWN, 1)
refused("F_SETOWN -1", fcntl.fcntl, out, fcntl.F_SETOWN, -1)
refused("F_SETSIG", fcntl.fcntl, out, fcntl.F_SETSIG, 9)
owner = (ctypes.c_int * 2)(1, 1)
refused("F_SETOWN_EX", call, 72, out, 15, owner)
