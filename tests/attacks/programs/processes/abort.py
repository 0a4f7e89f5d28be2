"""B12a: abort().

by: the wait status
verdict: crashed
signal: 6
"""
tried("abort")
os.abort()
