"""B08: stops itself; no heartbeat comes any more.

by: the manager's heartbeat watch
verdict: worker_lost
"""
import signal

tried("SIGSTOP")
os.kill(os.getpid(), signal.SIGSTOP)
