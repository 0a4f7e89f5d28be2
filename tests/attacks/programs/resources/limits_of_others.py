"""A30a: limits of the keeper, of parents and of foreign processes.

by: seccomp (prlimit of another pid)
stopped: EPERM ESRCH ENOSYS
"""
import resource

for pid in [1, os.getppid(), FACTS["manager_pid"], FACTS["zygote_pid"], FACTS["decoy_pid"]]:
    refused(f"RLIMIT_CPU of {pid}", resource.prlimit, pid, resource.RLIMIT_CPU, (0, 0))
    refused(f"RLIMIT_NOFILE of {pid}", resource.prlimit, pid, resource.RLIMIT_NOFILE)
