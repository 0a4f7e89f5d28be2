"""D15a: rseq registered again and pointed at nonsense.

by: the kernel; its own process only
verdict: ok crashed
"""
tried("rseq")
block = ctypes.create_string_buffer(b"\xff" * 64, 64)
try:
    call(334, block, 32, 0, 0x53053053)
except OSError as error:
    stopped(error)
