"""A20b: a deadlock of threads at the end of the program.

by: the wall clock
verdict: timeout
timeout_s: 0.5
"""
import threading

tried("a lock nobody gives back")
lock = threading.Lock()
lock.acquire()
threading.Thread(target=lock.acquire).start()
