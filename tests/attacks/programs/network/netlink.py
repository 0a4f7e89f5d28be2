"""E19: netlink sockets, which configure networks and tell of devices.

by: seccomp
stopped: EPERM EACCES EAFNOSUPPORT ENOSYS
"""
import socket

for protocol in range(24):
    refused(f"netlink {protocol}", socket.socket, socket.AF_NETLINK, socket.SOCK_RAW, protocol)
