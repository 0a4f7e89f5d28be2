"""E01a: the same from a profile that has a loopback device of its own.

by: the network namespace
stopped: ENETUNREACH EPERM EACCES EAFNOSUPPORT EADDRNOTAVAIL
profile: loopback
needs: netns
"""
import socket

for family, address in ((socket.AF_INET, ("192.0.2.1", 80)), (socket.AF_INET, ("8.8.8.8", 53)), (socket.AF_INET6, ("2001:db8::1", 80)),
                        (socket.AF_INET, ("169.254.169.254", 80)), (socket.AF_INET, ("10.0.0.1", 22))):
    tried(address)
    try:
        with socket.socket(family) as client:
            client.settimeout(1)
            client.connect(address)
            got(address)
    except OSError as error:
        stopped(error)
