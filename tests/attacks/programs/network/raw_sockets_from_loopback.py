"""E06a: the same where the profile has loopback.

by: seccomp, no capabilities
stopped: EPERM EACCES EAFNOSUPPORT ENOSYS EPROTONOSUPPORT EINVAL ESOCKTNOSUPPORT
profile: loopback
"""
import socket

for family, kind, protocol in ((2, 3, 1), (2, 3, 255), (10, 3, 58), (17, 3, 0x300), (17, 2, 0x300), (16, 3, 12), (16, 3, 15),
                               (38, 5, 0), (40, 1, 0), (44, 3, 0)):
    refused(f"{family} {kind} {protocol}", socket.socket, family, kind, protocol)
