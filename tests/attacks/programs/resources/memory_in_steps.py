"""A04a: small blocks without end; what is there already stays usable.

by: RLIMIT_DATA
stopped: MemoryError
"""
tried("blocks of 1 MiB")
kept = []
try:
    for _ in range(1000):
        kept.append(b"\1" * (1 << 20))
    got(f"{len(kept)} MiB")
except MemoryError as error:
    stopped(error)
assert len(kept) > 50 and kept[50][1000] == 1
