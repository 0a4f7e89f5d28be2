"""D28: files of /proc that show the machine's memory, keys, timers and other users' load.

by: masked, or not readable without rights
stopped: EACCES EPERM ENOENT EISDIR EIO ENOTDIR
"""
for name in ("kcore", "kmem", "kpagecount", "kpageflags", "kpagecgroup", "slabinfo", "vmallocinfo", "iomem/x", "timer_list",
             "sched_debug", "keys/x", "sysrq-trigger", "kmsg", "latency_stats", "vmcore"):
    tried(name)
    try:
        with open(f"/proc/{name}", "rb", 0) as file:
            data = file.read(64)
        if data:
            got(f"{name}: {data!r:.60}")
        else:
            say("STOPPED", "ENOENT")
    except OSError as error:
        stopped(error)
