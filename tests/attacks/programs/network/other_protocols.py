"""E07: MPTCP, SCTP, SMC and other protocols that slip past rules for TCP.

by: seccomp
stopped: EPERM EACCES EAFNOSUPPORT ENOSYS EPROTONOSUPPORT EINVAL ESOCKTNOSUPPORT
"""
import socket

for family, kind, protocol in ((2, 1, 262), (10, 1, 262), (2, 1, 132), (2, 5, 132), (43, 1, 0), (2, 6, 33), (2, 2, 136), (30, 5, 0), (21, 5, 0)):
    refused(f"{family} {kind} {protocol}", socket.socket, family, kind, protocol)
