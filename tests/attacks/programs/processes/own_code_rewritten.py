"""B06: read-only text rewritten through /proc/self/mem: it may; the filter holds all the same.

by: seccomp
stopped: ENOSYS EPERM EACCES
"""
tried("/proc/self/mem")
place = ctypes.cast(libc.getppid, ctypes.c_void_p).value
try:
    with open("/proc/self/mem", "r+b", 0) as memory:
        memory.seek(place)
        # mov eax, 425 (io_uring_setup); mov edi, 8; mov esi, address of 120 zero bytes; syscall; ret
        zeros = ctypes.create_string_buffer(128)
        code = b"\xb8\xa9\x01\x00\x00\xbf\x08\x00\x00\x00\x48\xbe" + ctypes.addressof(zeros).to_bytes(8, "little")
        memory.write(code + b"\x0f\x05\xc3")
except OSError as error:
    stopped(error)
else:
    answer = libc.getppid()
    if answer >= 0:
        got(f"io_uring: {answer}")
    else:
        say("STOPPED", errno.errorcode[-answer])
