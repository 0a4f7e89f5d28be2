"""B02f: the owner of a socket or terminal set by ioctl.

by: seccomp (arguments of ioctl)
stopped: EPERM ENOTTY ENOSYS EINVAL
"""
import fcntl
import socket
import struct

left, _ = socket.socketpair()
for number, what in ((0x8901, "FIOSETOWN"), (0x8902, "SIOCSPGRP"), (0x5410, "TIOCSPGRP"), (0x540E, "TIOCSCTTY")):
    refused(what, fcntl.ioctl, left.fileno(), number, struct.pack("i", 1))
