"""D02: bpf.

by: seccomp
stopped: EPERM ENOSYS
"""
for command in (0, 5, 18):
    refused(f"bpf {command}", call, 321, command, bytes(72), 72)
