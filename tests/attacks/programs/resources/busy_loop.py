"""A18: an endless loop.

by: the wall clock
verdict: timeout
timeout_s: 1
"""
tried("a loop")
while True:
    pass
