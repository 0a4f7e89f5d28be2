"""D30: sixteen Landlock layers, to leave none for the supervisor.

by: the supervisor's layer is there first
"""
tried("sixteen layers")
attributes = (ctypes.c_uint64 * 1)(1)
try:
    for _ in range(20):
        ruleset = call(444, attributes, 8, 0)
        call(446, ruleset, 0)
        os.close(ruleset)
except OSError as error:
    stopped(error)
