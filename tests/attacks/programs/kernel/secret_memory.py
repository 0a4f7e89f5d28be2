"""D35: memory that even the kernel's own view leaves out.

by: seccomp, charged as locked memory
stopped: ENOSYS EPERM EAGAIN ENOMEM
"""
import mmap

tried("memfd_secret")
try:
    fd = call(447, 0)
    os.ftruncate(fd, 512 << 20)
    block = mmap.mmap(fd, 512 << 20)
    for at in range(0, len(block), 4096):
        block[at] = 1
    got("512 MiB of secret memory")
except OSError as error:
    stopped(error)
