"""A19b: a number of ten million digits as text.

by: the wall clock, then SIGKILL
verdict: timeout
timeout_s: 1
"""
sys.set_int_max_str_digits(0)
tried("a long number")
str(1 << 60_000_000)
