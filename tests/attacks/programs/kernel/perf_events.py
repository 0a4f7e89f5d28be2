"""D03: performance counters.

by: seccomp
stopped: EPERM ENOSYS
"""
attributes = (ctypes.c_uint32 * 30)(1, 120)
refused("perf_event_open on itself", call, 298, attributes, 0, -1, -1, 0)
refused("perf_event_open on all", call, 298, attributes, -1, 0, -1, 0)
