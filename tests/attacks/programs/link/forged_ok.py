"""G01: a forged `finished ok`, then death by SIGSEGV: the claim is about itself, and the run is over with it.

by: only the worker's own claim; the manager ends the worker after a one-shot run
verdict: ok crashed worker_lost
timeout_s: 5
"""
import time

tried("a forged ok")
send(finished("ok"))
time.sleep(1)
ctypes.string_at(0)
