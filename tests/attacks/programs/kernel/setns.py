"""D06c: into namespaces of the keeper or of itself.

by: seccomp
stopped: EPERM ENOSYS EACCES EINVAL ENOENT
"""
for place in ("/proc/self/ns", "/proc/1/ns"):
    for name in ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup"):
        tried(f"{place}/{name}")
        try:
            call(308, os.open(f"{place}/{name}", os.O_RDONLY), 0)
            got(name)
        except OSError as error:
            stopped(error)
