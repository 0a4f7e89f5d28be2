"""C21a: a file that cannot be deleted, by its flags.

by: no capabilities, nothing has to delete it
"""
import fcntl
import struct

tried("FS_IOC_SETFLAGS")
with open("immutable", "w") as file:
    try:
        fcntl.ioctl(file, 0x40086602, struct.pack("l", 0x10))
        got("immutable")
    except OSError as error:
        stopped(error)
