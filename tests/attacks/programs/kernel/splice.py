"""D18: splice, vmsplice and tee, of Dirty Pipe.

by: seccomp
stopped: EPERM ENOSYS
"""
out, into = os.pipe()
out2, into2 = os.pipe()
source = os.open("/etc/passwd", os.O_RDONLY)
os.write(into, b"x")
refused("splice", call, 275, source, None, into, None, 100, 0)
refused("tee", call, 276, out, into2, 1, 0)
buffer = ctypes.create_string_buffer(4096)
refused("vmsplice", call, 278, into, (ctypes.c_ulong * 2)(ctypes.addressof(buffer), 4096), 1, 0)
