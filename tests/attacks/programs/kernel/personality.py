"""D33: another execution domain: addresses without randomness, read implies execute.

by: seccomp
stopped: EPERM ENOSYS EINVAL
"""
for domain in (0x0040000, 0x0400000, 0x0008, 0x8000000, 0x0100000):
    refused(f"personality {domain:x}", call, 135, domain)
