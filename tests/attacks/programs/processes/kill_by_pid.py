"""B02: SIGKILL to keeper, manager, zygote, neighbours, decoy by their pids.

by: the keeper's guard, the pid namespace
stopped: EPERM ESRCH
"""
for pid in [1, os.getppid(), FACTS["manager_pid"], FACTS["zygote_pid"], FACTS["decoy_pid"], *FACTS["neighbour_pids"]]:
    if pid != os.getpid():
        refused(f"kill {pid}", os.kill, pid, 9)
