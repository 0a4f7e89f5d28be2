"""B03a: a directory of /proc as a descriptor of a process.

by: seccomp, the keeper's guard
stopped: EPERM ESRCH ENOSYS EINVAL EBADF EACCES ENOENT
"""
import signal

tried("/proc/1")
try:
    fd = os.open("/proc/1", os.O_RDONLY | os.O_DIRECTORY)
    refused("pidfd_send_signal", call, 424, fd, 9, None, 0)
except OSError as error:
    stopped(error)
