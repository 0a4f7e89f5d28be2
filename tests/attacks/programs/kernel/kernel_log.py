"""D23: the kernel's log, read and cleared.

by: no capabilities, seccomp
stopped: EPERM ENOSYS EACCES ENOENT
"""
buffer = ctypes.create_string_buffer(4096)
for action in (2, 3, 4, 5, 6, 8, 9, 10):
    refused(f"syslog {action}", call, 103, action, buffer, 4096)
refused("/dev/kmsg", os.open, "/dev/kmsg", os.O_RDONLY)
refused("/proc/kmsg", os.open, "/proc/kmsg", os.O_RDONLY)
