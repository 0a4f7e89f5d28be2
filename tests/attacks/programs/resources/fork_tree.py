"""A01a: every process forks without end.

by: cgroup pids, RLIMIT_NPROC; the wall clock ends it
verdict: timeout
timeout_s: 1.5
"""
tried("a tree of forks")
while True:
    try:
        os.fork()
    except OSError:
        pass
