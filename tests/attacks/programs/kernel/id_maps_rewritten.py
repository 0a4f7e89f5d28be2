"""D06d: id maps rewritten, setgroups allowed again.

by: written once; no capabilities
stopped: EPERM EACCES EROFS ENOENT EINVAL
"""
for name, text in (("uid_map", "0 0 1"), ("gid_map", "0 0 1"), ("setgroups", "allow"), ("projid_map", "0 0 1")):
    tried(name)
    try:
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
        got(name)
    except OSError as error:
        stopped(error)
