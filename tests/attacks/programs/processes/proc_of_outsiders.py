"""B07a: anything of processes outside.

by: the pid namespace, a /proc of its own
stopped: ENOENT ESRCH EACCES
"""
for pid in (FACTS["manager_pid"], FACTS["zygote_pid"], FACTS["decoy_pid"], *FACTS["neighbour_pids"]):
    for name in ("environ", "cmdline", "status", "maps", "stat", "fd", "root/etc/shadow"):
        refused(f"{pid} {name}", os.stat, f"/proc/{pid}/{name}")
