"""B03: descriptors of processes: opened, signalled, used to take descriptors.

by: seccomp, the pid namespace
stopped: EPERM ESRCH ENOSYS EINVAL EBADF
"""
import signal

for pid in (1, FACTS["manager_pid"], FACTS["decoy_pid"]):
    tried(f"pidfd_open {pid}")
    try:
        fd = os.pidfd_open(pid)
    except OSError as error:
        stopped(error)
        continue
    refused("pidfd_send_signal", signal.pidfd_send_signal, fd, signal.SIGKILL)
    for number in range(64):
        refused("pidfd_getfd", call, 438, fd, number, 0)
    refused("process_madvise", call, 440, fd, None, 0, 21, 0)
    refused("process_mrelease", call, 448, fd, 0)
