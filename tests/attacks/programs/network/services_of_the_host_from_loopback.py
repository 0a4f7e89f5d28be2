"""E04a: the same from a profile that has a loopback device of its own.

by: the network namespace
stopped: ECONNREFUSED EPERM EACCES EADDRNOTAVAIL EAFNOSUPPORT ENETUNREACH
profile: loopback
"""
import socket

for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET, "0.0.0.0")):
    for port in (FACTS["trap_port"], FACTS["http_port"]):
        tried(f"{host}:{port}")
        try:
            with socket.socket(family) as client:
                client.settimeout(2)
                client.connect((host, port))
                got(client.recv(100))
        except OSError as error:
            stopped(error)
tried("a datagram")
try:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"x", ("127.0.0.1", FACTS["trap_port"]))
except OSError as error:
    stopped(error)
