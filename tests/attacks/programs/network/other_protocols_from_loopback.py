"""E07a: the same where the profile has loopback.

by: seccomp
stopped: EPERM EACCES EAFNOSUPPORT ENOSYS EPROTONOSUPPORT EINVAL ESOCKTNOSUPPORT
profile: loopback
"""
import socket

for family, kind, protocol in ((2, 1, 262), (10, 1, 262), (2, 1, 132), (2, 5, 132), (43, 1, 0), (2, 6, 33), (30, 5, 0), (21, 5, 0)):
    refused(f"{family} {kind} {protocol}", socket.socket, family, kind, protocol)
