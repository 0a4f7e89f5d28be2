"""A04d: the soft limits raised to the hard ones, then memory without end.

by: the hard memory limit
verdict: ok out_of_memory
"""
import resource

for name in ("RLIMIT_DATA", "RLIMIT_AS", "RLIMIT_RSS", "RLIMIT_STACK"):
    limit = getattr(resource, name)
    hard = resource.getrlimit(limit)[1]
    resource.setrlimit(limit, (hard, hard))
tried("1 GiB after raising the limits")
kept = []
try:
    for _ in range(1024):
        kept.append(b"\1" * (1 << 20))
    got("1 GiB")
except MemoryError as error:
    stopped(error)
