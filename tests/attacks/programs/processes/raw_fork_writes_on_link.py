"""B21a: a child by a raw clone system call, past Python's at-fork hooks, writes garbage on the link.

by: the link's strict decoder: a worker can lie only about itself
verdict: worker_lost ok
"""
import stat

tried("garbage from a raw child")
pid = call(56, 17, None, None, None, None)
if pid == 0:
    for fd in range(3, 256):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                os.write(fd, b"\xff" * 64)
        except OSError:
            pass
    os._exit(0)
os.waitpid(pid, 0)
