"""F21: at-fork hooks that raise, hang or exit, for the worker's own forks and for those that come later.

by: the zygote and the keeper never run user code
"""
import time

tried("register_at_fork")
os.register_at_fork(before=lambda: 1 / 0, after_in_parent=lambda: 1 / 0, after_in_child=lambda: os._exit(7))
pid = os.fork()
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0)
