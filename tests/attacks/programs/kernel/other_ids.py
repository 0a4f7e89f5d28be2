"""D14b: other user and group ids.

by: no capabilities, an id map of one
stopped: EPERM EINVAL ENOSYS
"""
for number in (0, 1, 1000, 65534):
    if number == os.getuid():
        continue
    refused(f"setuid {number}", os.setuid, number)
    refused(f"setgid {number}", os.setgid, number)
    refused(f"setresuid {number}", os.setresuid, number, number, number)
    refused(f"setgroups {number}", os.setgroups, [number])
