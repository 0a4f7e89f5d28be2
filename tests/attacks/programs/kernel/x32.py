"""D10b: the x32 entry: getpid with bit 30 set.

by: seccomp kills the process
verdict: violation
signal: 31
"""
tried("x32")
got(call(0x40000000 | 39))
