"""B04a: ptrace of its own child, which would let it change system calls after the filter has looked.

by: seccomp
stopped: EPERM ENOSYS
"""
import time

pid = os.fork()
if pid == 0:
    time.sleep(10)
    os._exit(0)
refused("seize a child", call, 101, 0x4206, pid, None, None)
refused("attach to a child", call, 101, 16, pid, None, None)
os.kill(pid, 9)
