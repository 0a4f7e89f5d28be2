"""B08a: stops each of its threads by tgkill, the link thread first.

by: the manager's heartbeat watch
verdict: worker_lost
"""
import signal

tried("SIGSTOP to each thread")
for thread in sorted(map(int, os.listdir("/proc/self/task")), reverse=True):
    call(234, os.getpid(), thread, signal.SIGSTOP)
