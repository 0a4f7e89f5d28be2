"""D14: every thread is filtered and without new privileges, those of libraries too.

by: seccomp and no_new_privs before any thread
"""
import threading

try:
    import numpy
    numpy.ones((300, 300)) @ numpy.ones((300, 300))
except ImportError:
    pass
tried("threads")
end = threading.Event()
threading.Thread(target=end.wait).start()
for task in os.listdir("/proc/self/task"):
    status = dict(line.split(":", 1) for line in open(f"/proc/self/task/{task}/status").read().splitlines())
    if status["Seccomp"].strip() != "2" or status["NoNewPrivs"].strip() != "1":
        got(f"thread {task}: Seccomp {status['Seccomp']} NoNewPrivs {status['NoNewPrivs']}")
end.set()
