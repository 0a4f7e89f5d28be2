"""A04: a block larger than the limit.

by: RLIMIT_DATA (the soft memory limit)
stopped: MemoryError
"""
tried("400 MiB")
try:
    block = bytearray(400 << 20)
    got(len(block))
except MemoryError as error:
    stopped(error)
