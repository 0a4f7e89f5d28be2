"""C15: mount and umount2, in the forms that need least.

by: no capabilities, seccomp
stopped: EPERM ENOSYS EACCES
"""
for kind, source, target, flags in ((b"tmpfs", b"none", b"/workspace", 0), (b"proc", b"proc", b"/tmp", 0), (None, b"/", b"/tmp", 4096),
                                    (None, b"/tmp", b"/workspace", 8192), (None, b"none", b"/", 1 << 19), (b"", b"", b"/", 32),
                                    (b"overlay", b"o", b"/tmp", 0), (b"cgroup2", b"c", b"/tmp", 0), (b"bpf", b"b", b"/tmp", 0)):
    refused(f"mount {kind}", call, 165, source, target, kind, flags, None)
for place in (b"/tmp", b"/proc", b"/workspace", b"/", b"/usr", b"/dev/shm"):
    refused(f"umount2 {place}", call, 166, place, 2)
