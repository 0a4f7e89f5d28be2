"""D12: a filter of its own with a listener, to answer its own system calls: it can only narrow.

by: seccomp: refused, or without gain
"""
tried("SECCOMP_FILTER_FLAG_NEW_LISTENER")
allow = (ctypes.c_uint16 * 4)(0x06, 0, 0, 0x7FFF)
program = (ctypes.c_uint64 * 2)(1, ctypes.addressof(allow))
for flags in (0, 8, 1):
    try:
        call(317, 1, flags, program)
    except OSError as error:
        stopped(error)
refused("io_uring after a filter of its own", call, 425, 8, bytes(120))
