"""B12d: a breakpoint instruction, with no debugger.

by: the wait status
verdict: crashed
signal: 5
"""
import mmap

tried("int3")
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(b"\xcc")
ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
