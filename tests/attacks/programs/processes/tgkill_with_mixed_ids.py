"""B02c: tgkill that names its own group and another's thread, and odd numbers.

by: the keeper's guard, the kernel
stopped: EPERM ESRCH EINVAL
"""
for group, thread in ((os.getpid(), 1), (1, os.getpid()), (0, 1), (-1, 1), (1, 0), (1, -1), (2**31 - 1, 1)):
    refused(f"tgkill {group} {thread}", call, 234, group, thread, 9)
for number in (65, 66, 1000, -1, 2**31 - 1):
    refused(f"kill 1 with {number}", call, 62, 1, number)
