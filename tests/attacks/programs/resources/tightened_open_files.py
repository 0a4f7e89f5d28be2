"""A33a: a limit of open files that is tighter than the profile's, raised and evaded.

by: the hard limit
open_files: 24
stopped: EMFILE ValueError EPERM EINVAL EBADF
"""
import fcntl
import resource
import socket

HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
for limit in ((HARD + 1, HARD + 1), (256, 256), (25, 256)):
    tried(f"RLIMIT_NOFILE {limit}")
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        got(f"{limit}")
    except (ValueError, OSError) as error:
        stopped(error)
refused("a number above", os.dup2, 0, 24)
refused("F_DUPFD above", fcntl.fcntl, 0, fcntl.F_DUPFD, 24)


def fill():
    kept = []
    try:
        while len(kept) < 1000:
            kept.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        stopped(error)
    if kept and max(kept) >= 24:
        got(f"descriptor {max(kept)}")
    for one in kept:
        os.close(one)


tried("all that there are")
fill()
tried("all that there are, in a child")
in_child(fill)
tried("in another program")
if os.fork() == 0:
    os.execv("/usr/bin/python3", ["python3", "-c", "import resource, sys\n"
                                  "try:\n  resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))\n  print('GOT 256 after exec')\n"
                                  "except ValueError:\n  print('STOPPED ValueError')"])
os.wait()
tried("more by messages of a socket")
ours, theirs = socket.socketpair()
sent = [os.open("/dev/null", os.O_RDONLY) for _ in range(8)]
socket.send_fds(ours, [b"x"], sent)
socket.send_fds(ours, [b"x"], sent)
arrived = [fd for _ in range(2) for fd in socket.recv_fds(theirs, 1, 100)[1]]
if arrived and max(arrived) >= 24:
    got(f"descriptor {max(arrived)}")
stopped(OSError(24, "some did not arrive") if len(arrived) < 16 else OSError(24, "all below the limit"))
