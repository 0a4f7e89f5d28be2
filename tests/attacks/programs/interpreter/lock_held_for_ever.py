"""F13: Python's lock held for ever inside C.

by: the wall clock; the heartbeat goes on meanwhile
verdict: timeout
timeout_s: 3
"""
tried("PyDLL.sleep")
ctypes.PyDLL(None).sleep(1000)
