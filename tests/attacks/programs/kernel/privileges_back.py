"""D13: no_new_privs and seccomp undone.

by: the kernel
stopped: EINVAL EPERM EACCES ENOSYS EFAULT
"""
refused("no_new_privs off", call, 157, 38, 0, 0, 0, 0)
refused("seccomp off", call, 157, 22, 0, 0, 0, 0)
refused("seccomp mode 0", call, 317, 3, 0, None)
if call(157, 39, 0, 0, 0, 0) != 1:
    got("no_new_privs is off")
