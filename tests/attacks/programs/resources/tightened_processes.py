"""A33: a limit of processes that is tighter than the profile's, raised and evaded.

by: the control group of the capsule, or RLIMIT_NPROC
processes: 6
stopped: EAGAIN ValueError EPERM EACCES EROFS ENOENT ENOSYS
"""
import glob
import resource
import signal
import threading
import time

for limit in ((100, 100), (resource.RLIM_INFINITY, resource.RLIM_INFINITY)):
    tried(f"RLIMIT_NPROC {limit}")
    try:
        if resource.getrlimit(resource.RLIMIT_NPROC)[1] < limit[0] or limit[0] == resource.RLIM_INFINITY:
            resource.setrlimit(resource.RLIMIT_NPROC, limit)
            got("a higher hard limit")
        stopped(ValueError())
    except (ValueError, OSError) as error:
        stopped(error)
for file in ("/sys/fs/cgroup/pids.max", *glob.glob("/sys/fs/cgroup/**/pids.max", recursive=True)[:5]):
    refused(file, open, file, "w")

read, write = os.pipe()


def grow(depth):
    """Each descendant says that it lives; children of children, threads, in sessions of their own."""
    os.setsid()
    os.write(write, b"p")
    for _ in range(8):
        try:
            if depth and os.fork() == 0:
                grow(depth - 1)
        except OSError:
            break
    for _ in range(8):
        try:
            threading.Thread(target=lambda: (os.write(write, b"t"), time.sleep(60))).start()
        except RuntimeError:
            break
    signal.pause()


tried("a tree of processes and threads")
try:
    for _ in range(20):
        if os.fork() == 0:
            grow(3)
        time.sleep(0.05)
except OSError as error:
    stopped(error)
time.sleep(1)
os.set_blocking(read, False)
alive = 1 + len(os.read(read, 4096))
if alive > 6:
    got(f"{alive} processes and threads at once")
os.kill(-1, signal.SIGKILL)
