"""D10c: the 32-bit entry in a thread: all of the process has to end, not that thread alone.

by: seccomp kills the process
verdict: violation
signal: 31
"""
import mmap
import threading
import time

tried("int 0x80 in a thread")
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(b"\x53\xb8\x14\x00\x00\x00\xcd\x80\x5b\xc3")
threading.Thread(target=ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))).start()
time.sleep(2)
got("the process lives on")
