"""A19a: 9**9**9.

by: the wall clock, then SIGKILL
verdict: timeout
timeout_s: 1
"""
tried("9**9**9")
base = 9
base ** base ** base
