"""E13a: each descriptor it was given, used for what it is not for.

by: the descriptors layer
stopped: EPERM EACCES EINVAL ENOTDIR ENOTSUP ENOTTY EBADF ENOENT ENOSYS EROFS EXDEV ESPIPE
"""
for fd in range(16):
    try:
        os.fstat(fd)
    except OSError:
        continue
    refused(f"directory {fd}", os.open, "etc/shadow", os.O_RDONLY, dir_fd=fd)
    refused(f"fchdir {fd}", os.fchdir, fd)
    refused(f"map {fd}", os.ftruncate, fd, 0) if fd > 2 else None
