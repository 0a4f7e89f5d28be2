"""B02h: a timer that sends its signal to another process.

by: the kernel: only threads of one's own; RLIMIT_CPU of another by prlimit is B02d
stopped: EINVAL EPERM ENOSYS
"""
event = (ctypes.c_int * 16)(0, 0, 9, 4, 1)
refused("timer_create for thread 1", call, 222, 1, event, ctypes.create_string_buffer(8))
