"""D01: io_uring: a second way into the kernel that no filter sees.

by: seccomp
stopped: ENOSYS EPERM
"""
refused("io_uring_setup", call, 425, 8, bytes(120))
refused("io_uring_enter", call, 426, 0, 0, 0, 0, None, 0)
refused("io_uring_register", call, 427, 0, 0, None, 0)
