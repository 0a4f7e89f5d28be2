"""K10: disks, mount points and their options.

by: the private root
"""
tried("mounts")
for line in open("/proc/self/mounts"):
    target = line.split()[1]
    if not target.startswith(("/proc", "/dev", "/var/tmp", "/var/workspace", "/usr", "/bin", "/lib", "/sbin", "/etc")) and target != "/":
        got(line)
