"""B11b: only the main thread ends, by the exit system call; the link thread lives on.

by: the wall clock or the heartbeat watch
verdict: timeout worker_lost
timeout_s: 2
"""
tried("exit of one thread")
call(60, 0)
