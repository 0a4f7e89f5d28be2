"""B05b: pages of another process moved between nodes.

by: seccomp
stopped: EPERM ESRCH ENOSYS EACCES
"""
mask = (ctypes.c_ulong * 1)(1)
refused("move_pages", call, 279, 1, 0, None, None, None, 0)
refused("migrate_pages", call, 256, 1, 64, mask, mask)
