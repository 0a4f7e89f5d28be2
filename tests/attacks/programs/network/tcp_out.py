"""E01: TCP connections out, IPv4 and IPv6.

by: seccomp (socket families), the network namespace
stopped: EPERM EACCES EAFNOSUPPORT ENETUNREACH ENOSYS
needs: netns
"""
import socket

for family, address in ((socket.AF_INET, ("192.0.2.1", 80)), (socket.AF_INET, ("8.8.8.8", 53)), (socket.AF_INET6, ("2001:db8::1", 80))):
    tried(address)
    try:
        with socket.socket(family) as client:
            client.settimeout(1)
            client.connect(address)
            got(address)
    except OSError as error:
        stopped(error)
