"""B12c: a division by zero in machine code.

by: the wait status
verdict: crashed
signal: 8
"""
import mmap

tried("div")
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(b"\x31\xc9\xf7\xf1")
ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
