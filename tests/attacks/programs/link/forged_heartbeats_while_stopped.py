"""G03b: a child sends heartbeats in the name of its stopped parent.

by: the child has no link; with a raw clone it has one, and the wall clock ends it
verdict: timeout worker_lost
timeout_s: 4
"""
import signal
import time

tried("heartbeats of a child")
parent = os.getpid()
if call(56, 17, None, None, None, None) == 0:
    time.sleep(0.2)
    for n in range(1000):
        send({"type": "heartbeat", "seq": 1000 + n, "rss_bytes": 1})
        time.sleep(0.1)
    os._exit(0)
os.kill(parent, signal.SIGSTOP)
