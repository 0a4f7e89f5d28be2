"""D10d: the 32-bit entry in a forked child: the child ends, the program goes on.

by: seccomp kills the process
"""
import mmap


def enter():
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(b"\x53\xb8\x14\x00\x00\x00\xcd\x80\x5b\xc3")
    got(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))())


tried("int 0x80 in a child")
status = in_child(enter)
if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != 31:
    got(f"the child ended with {status:x}")
