"""D24: control groups written, and the release agent of old escapes.

by: not mounted
stopped: ENOENT EACCES EROFS EPERM ENOTDIR
"""
for path in ("/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory/release_agent", "/sys/fs/cgroup/release_agent",
             "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/pids/pids.max"):
    refused(path, open, path, "w")
refused("a group of its own", os.mkdir, "/sys/fs/cgroup/attack")
tried("any mounted cgroup file system")
for line in open("/proc/self/mounts"):
    if line.split()[2].startswith("cgroup"):
        got(line)
