"""B12: reads address 0.

by: the wait status
verdict: crashed
signal: 11
"""
tried("address 0")
ctypes.string_at(0)
