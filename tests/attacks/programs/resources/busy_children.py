"""A18b: endless loops in as many processes as it can have.

by: the wall clock, the processes limit, a fair share of the processors
verdict: timeout
timeout_s: 1.5
"""
tried("processes")
try:
    for _ in range(40):
        if os.fork() == 0:
            while True:
                pass
except OSError:
    pass
while True:
    pass
