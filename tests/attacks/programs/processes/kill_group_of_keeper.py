"""B01c: SIGKILL to the process groups of the keeper, of the manager, of everybody.

by: the keeper's guard, the pid namespace
stopped: EPERM ESRCH EINVAL
"""
for group in (1, FACTS["manager_pid"], FACTS["zygote_pid"], FACTS["decoy_pid"]):
    if group != os.getpgrp():
        refused(f"kill(-{group})", call, 62, -group, 9)
