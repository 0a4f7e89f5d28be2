"""A20: sleeps.

by: the wall clock
verdict: timeout
timeout_s: 0.5
"""
import time

tried("sleep")
time.sleep(10**6)
