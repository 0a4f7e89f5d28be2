"""B40: kills only the link thread, by a signal handler that ends the thread.

by: the heartbeat watch, or the thread blocks signals
verdict: ok worker_lost crashed
"""
tried("the link thread")
threads = sorted(map(int, os.listdir("/proc/self/task")))
for thread in threads[1:]:
    for number in (33, 34):
        try:
            call(234, os.getpid(), thread, number)
        except OSError as error:
            stopped(error)
