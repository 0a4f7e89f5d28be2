"""B02i: priorities, schedulers and processors of keeper and outsiders.

by: seccomp, the pid namespace
stopped: EPERM ESRCH EACCES ENOSYS
"""
for pid in (1, FACTS["manager_pid"], FACTS["decoy_pid"]):
    refused(f"setpriority {pid}", os.setpriority, os.PRIO_PROCESS, pid, 19)
    refused(f"sched_setaffinity {pid}", os.sched_setaffinity, pid, {0})
    refused(f"sched_setscheduler {pid}", os.sched_setscheduler, pid, os.SCHED_IDLE, os.sched_param(0))
    refused(f"ioprio_set {pid}", call, 251, 1, pid, (3 << 13))
    refused(f"setpgid {pid}", os.setpgid, pid, pid)
