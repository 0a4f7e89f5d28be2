"""D28a: addresses of the kernel: kallsyms, its own stack and wait channel, page frames.

by: the kernel hides them from those without rights
"""
tried("kallsyms")
try:
    if any(int(line.split()[0], 16) for line in open("/proc/kallsyms").readlines()[:200]):
        got("addresses in kallsyms")
except OSError as error:
    stopped(error)
tried("pagemap")
try:
    with open("/proc/self/pagemap", "rb", 0) as file:
        page = ctypes.create_string_buffer(b"x", 8192)
        file.seek(ctypes.addressof(page) // 4096 * 8)
        if int.from_bytes(file.read(8), "little") & ((1 << 55) - 1):
            got("page frames in pagemap")
except OSError as error:
    stopped(error)
