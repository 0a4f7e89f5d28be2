"""B21: a forked child looks for the worker's link.

by: the child gives the link up at the fork
"""
import stat

tried("the link in a child")
pid = os.fork()
if pid == 0:
    for fd in range(3, 1024):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                got(f"socket {fd} in a child")
        except OSError:
            pass
    os._exit(0)
os.waitpid(pid, 0)
