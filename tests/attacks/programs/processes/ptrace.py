"""B04: ptrace in all its forms.

by: seccomp
stopped: EPERM ESRCH ENOSYS
"""
for request, name in ((16, "attach"), (0x4206, "seize")):
    for pid in (1, FACTS["manager_pid"], FACTS["decoy_pid"], FACTS["zygote_pid"]):
        refused(f"{name} {pid}", call, 101, request, pid, None, None)
refused("traceme", call, 101, 0, 0, None, None)
