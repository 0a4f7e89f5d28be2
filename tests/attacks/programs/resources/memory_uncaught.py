"""A04b: a block larger than the limit, and nobody catches the error.

by: RLIMIT_DATA
verdict: exception
"""
tried("1 GiB")
kept = bytearray(1 << 30)
got(len(kept))
