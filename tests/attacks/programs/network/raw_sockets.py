"""E06: raw, ping and packet sockets.

by: seccomp, no capabilities
stopped: EPERM EACCES EAFNOSUPPORT ENOSYS EPROTONOSUPPORT EINVAL ESOCKTNOSUPPORT
"""
import socket

for family, kind, protocol in ((2, 3, 1), (2, 3, 255), (2, 2, 1), (10, 3, 58), (10, 2, 58), (17, 3, 0x300), (17, 2, 0x300), (16, 3, 0), (16, 3, 15)):
    refused(f"{family} {kind} {protocol}", socket.socket, family, kind, protocol)
