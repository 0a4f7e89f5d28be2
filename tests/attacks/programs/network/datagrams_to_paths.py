"""E11: sendto, sendmsg and sendmmsg to a path of the host, and to an abstract name.

by: the private root, the network namespace, seccomp
stopped: ENOENT EACCES EPERM ECONNREFUSED ENOSYS ENOTCONN EISCONN
"""
import socket

for address in (FACTS["trap_datagram_path"], "\0" + FACTS["trap_abstract"]):
    tried(address)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.sendto(b"x", address)
            got("sendto")
    except OSError as error:
        stopped(error)
    tried(f"sendmsg {address}")
    try:
        left, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        left.sendmsg([b"x"], [], 0, address)
        got("sendmsg on a pair")
    except OSError as error:
        stopped(error)
