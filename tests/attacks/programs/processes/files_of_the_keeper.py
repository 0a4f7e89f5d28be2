"""B02k: what /proc lets one write about another process.

by: the keeper is not dumpable, Landlock
stopped: EACCES EPERM ENOENT EROFS
"""
for name in ("oom_score_adj", "oom_adj", "mem", "clear_refs", "coredump_filter", "timerslack_ns", "uid_map", "gid_map",
             "setgroups", "attr/current", "attr/exec", "autogroup", "loginuid", "comm", "projid_map"):
    refused(name, open, f"/proc/1/{name}", "r+b", 0)
