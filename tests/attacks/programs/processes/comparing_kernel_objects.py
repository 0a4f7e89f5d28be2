"""B05a: kcmp, which tells where the kernel keeps things.

by: seccomp
stopped: EPERM ENOSYS
"""
refused("kcmp with the keeper", call, 312, os.getpid(), 1, 0, 1, 1)
refused("kcmp with itself", call, 312, os.getpid(), os.getpid(), 0, 1, 2)
