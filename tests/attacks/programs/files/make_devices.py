"""C01d: device nodes of its own.

by: no capabilities, nodev, seccomp
stopped: EPERM EACCES ENOSYS EROFS
"""
import stat

for major, minor, what in ((1, 1, "mem"), (8, 0, "disk"), (254, 0, "disk"), (1, 11, "kmsg"), (10, 200, "tun"), (10, 229, "fuse")):
    for kind in (stat.S_IFCHR, stat.S_IFBLK):
        refused(what, os.mknod, f"{what}{kind}", kind | 0o666, os.makedev(major, minor))
