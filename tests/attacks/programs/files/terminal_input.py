"""C21b: characters pushed into a terminal: TIOCSTI, TIOCLINUX, a pseudo terminal of its own.

by: no terminal, seccomp
stopped: ENXIO ENOENT EPERM EACCES ENOTTY EIO ENOSYS
"""
import fcntl

for path in ("/dev/tty", "/dev/console", "/dev/tty0", "/dev/tty1", "/dev/pts/0"):
    refused(path, os.open, path, os.O_RDWR)
for fd in range(3):
    refused(f"TIOCSTI {fd}", fcntl.ioctl, fd, 0x5412, b"x")
    refused(f"TIOCLINUX {fd}", fcntl.ioctl, fd, 0x541C, b"\x02")
