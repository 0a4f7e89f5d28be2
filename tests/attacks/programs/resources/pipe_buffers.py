"""A17: pipes enlarged to 1 MiB and filled.

by: the kernel's limit on pipe pages, RLIMIT_NOFILE
stopped: EPERM EMFILE EAGAIN ENFILE ENOMEM
verdict: ok out_of_memory
"""
import fcntl

tried("large pipes")
kept = []
try:
    for _ in range(1000):
        out, into = os.pipe()
        kept.append((out, into))
        os.set_blocking(into, False)
        fcntl.fcntl(into, 1031, 1 << 20)
        os.write(into, bytes(1 << 20))
    got("1000 MiB in pipes")
except OSError as error:
    stopped(error)
