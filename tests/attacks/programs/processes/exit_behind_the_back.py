"""B11: os._exit(0) in the middle of the run is never `ok`.

by: the wait status
verdict: exit
"""
tried("os._exit")
os._exit(0)
