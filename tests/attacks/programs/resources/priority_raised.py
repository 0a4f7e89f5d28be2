"""A31: a better priority, real-time scheduling, the best disk priority.

by: no capabilities, RLIMIT_NICE
stopped: EPERM EACCES ENOSYS
"""
import time

refused("nice -5", os.nice, -5)
refused("SCHED_FIFO", os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(50))
refused("SCHED_RR", os.sched_setscheduler, 0, os.SCHED_RR, os.sched_param(1))
refused("ioprio_set real time", call, 251, 1, 0, 1 << 13)
attributes = (ctypes.c_uint32 * 12)(48, 6, 0, 0, 0, 0, 10**7, 0, 3 * 10**7, 0, 3 * 10**7, 0)
refused("SCHED_DEADLINE", call, 314, 0, attributes, 0)
