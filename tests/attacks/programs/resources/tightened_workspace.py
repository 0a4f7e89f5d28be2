"""A33b: a workspace that was made smaller for the run, made larger again, left, or filled past its size.

by: no capabilities, seccomp (mounts, namespaces), the size of its file system
workspace_bytes: 1048576
workspace_files: 40
needs: root userns
stopped: ENOSPC EPERM ENOSYS EACCES EROFS EINVAL EBUSY
"""
import mmap

MS_REMOUNT = 32
for place in (b"/var/workspace", b"/workspace", b".", b"/"):
    refused(f"a remount of {place}", call, 165, b"none", place, b"tmpfs", MS_REMOUNT, b"size=1g,nr_inodes=100000")
refused("a mount over it", call, 165, b"none", b"/var/workspace", b"tmpfs", 0, b"size=1g")
refused("fsopen", call, 430, b"tmpfs", 0)
refused("fspick", call, 433, -100, b"/var/workspace", 0)
refused("an own user namespace", call, 272, 0x10000000 | 0x00020000)
for kind in ("user", "mnt"):
    with open(f"/proc/self/ns/{kind}") as namespace:
        refused(f"setns {kind}", call, 308, namespace.fileno(), 0)
pidfd = os.pidfd_open(os.getpid())
refused("setns by a pidfd", call, 308, pidfd, 0x10000000 | 0x00020000)

tried("files without a name, mapped ones and sparse ones")
held, written = [], 0
try:
    for n in range(60):
        file = open(f"f{n % 30}", "w+b", 0)
        held.append(file)
        os.unlink(file.name)
        os.posix_fallocate(file.fileno(), 0, 64 << 10)
        written += 64 << 10
except OSError as error:
    stopped(error)
if written > 1 << 20:
    got(f"{written} bytes")
tried("a page beyond the space")
file = open("sparse", "w+b", 0) if not held else held[0]
os.ftruncate(file.fileno(), 64 << 20)
used = os.statvfs(".")
if (used.f_blocks - used.f_bfree) * used.f_frsize > 1 << 20 or used.f_blocks * used.f_frsize != 1 << 20:
    got(f"{used}")
stopped(OSError(28, "full"))
held.clear()
del file
tried("names without end")
try:
    for n in range(200):
        os.mkdir(f"d{n}")
    got("200 directories")
except OSError as error:
    stopped(error)
