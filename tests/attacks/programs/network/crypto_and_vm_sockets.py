"""E19a: sockets to the kernel's cipher code, to hypervisors, to radios.

by: seccomp
stopped: EPERM EACCES EAFNOSUPPORT ENOSYS ESOCKTNOSUPPORT
"""
import socket

for family, kind in ((38, 5), (40, 1), (31, 3), (39, 1), (29, 3), (41, 2), (42, 2), (44, 3), (32, 5), (45, 1)):
    refused(f"family {family}", socket.socket, family, kind, 0)
