"""A19: a regular expression that never ends, in C, holding Python's lock.

by: the wall clock, then SIGKILL
verdict: timeout
timeout_s: 1
"""
import re

tried("a regular expression")
re.match(r"(a+)+$", "a" * 64 + "b")
