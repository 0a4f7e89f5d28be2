"""B02b: tkill, tgkill and the sigqueueinfo calls on keeper and outsiders.

by: the keeper's guard, the pid namespace
stopped: EPERM ESRCH EINVAL
"""
information = (ctypes.c_int * 32)(9, 0, -1)
for pid in (1, FACTS["manager_pid"], FACTS["decoy_pid"], FACTS["zygote_pid"]):
    refused(f"tkill {pid}", call, 200, pid, 9)
    refused(f"tgkill {pid}", call, 234, pid, pid, 9)
    refused(f"rt_sigqueueinfo {pid}", call, 129, pid, 9, information)
    refused(f"rt_tgsigqueueinfo {pid}", call, 297, pid, pid, 9, information)
