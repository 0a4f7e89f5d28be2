"""D04: userfaultfd, by call and by device.

by: seccomp, a /dev of its own
stopped: EPERM ENOSYS ENOENT EACCES
"""
refused("userfaultfd", call, 323, 0)
refused("userfaultfd, user mode only", call, 323, 1)
refused("/dev/userfaultfd", os.open, "/dev/userfaultfd", os.O_RDWR)
