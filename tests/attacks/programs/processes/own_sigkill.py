"""B37: sends itself SIGKILL, as if memory had run out.

by: the kernel's out-of-memory count
verdict: crashed
signal: 9
"""
tried("SIGKILL to itself")
os.kill(os.getpid(), 9)
