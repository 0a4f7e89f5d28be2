"""D18a: Dirty Pipe itself (CVE-2022-0847): a page of a read-only file in a pipe, then a write to the pipe.

by: seccomp
stopped: EPERM ENOSYS
"""
path = "/usr/lib/python3.11/os.py"
before = open(path, "rb").read(64)
out, into = os.pipe()
for _ in range(16):
    os.write(into, bytes(4096))
for _ in range(16):
    os.read(out, 4096)
source = os.open(path, os.O_RDONLY)
refused("splice from the file", call, 275, source, (ctypes.c_long * 1)(0), into, None, 1, 0)
os.write(into, b"overwritten")
if open(path, "rb").read(64) != before:
    got("the page cache of a read-only file")
