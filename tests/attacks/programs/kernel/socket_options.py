"""D08: options that load protocols or filters into sockets.

by: no socket to apply them to
stopped: EPERM EACCES EAFNOSUPPORT ENOTSUP ENOPROTOOPT ENOENT EINVAL ENOTCONN ENOSYS
"""
import socket

left, right = socket.socketpair()
refused("TCP_ULP", left.setsockopt, socket.IPPROTO_TCP, 31, b"tls\0")
refused("netfilter", left.setsockopt, socket.IPPROTO_IP, 64, bytes(84))
refused("SO_ATTACH_BPF", left.setsockopt, socket.SOL_SOCKET, 50, 3)
for level in (socket.IPPROTO_IP, 41, 255, 263, 270, 279):
    refused(f"level {level}", left.setsockopt, level, 1, b"\1\0\0\0")
