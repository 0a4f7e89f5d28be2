"""C12: the links of /proc that lead past names.

by: the private root, a /proc of its own, the keeper is not dumpable
stopped: ENOENT EACCES EPERM ENOTDIR ESRCH
"""
secret = FACTS["secret"].lstrip("/")
for start in ("/proc/1/root/", "/proc/1/cwd/", "/proc/1/cwd/../../../", "/proc/1/task/1/root/", "/proc/self/root/../",
              f"/proc/{FACTS['manager_pid']}/root/", f"/proc/{FACTS['decoy_pid']}/cwd/"):
    refused(start, os.open, start + secret, os.O_RDONLY)
for number in range(3, 64):
    refused(f"/proc/self/fd/{number}/..", os.open, f"/proc/self/fd/{number}/../{secret}", os.O_RDONLY)
    refused(f"/proc/1/fd/{number}", os.open, f"/proc/1/fd/{number}", os.O_RDONLY)
