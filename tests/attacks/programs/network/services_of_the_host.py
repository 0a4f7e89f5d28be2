"""E04: services on the host's loopback: the manager's metrics, a trap.

by: seccomp (socket families), the network namespace
stopped: EPERM EACCES EAFNOSUPPORT ENETUNREACH ECONNREFUSED ENOSYS
"""
import socket

for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"),
                     (socket.AF_INET6, "::ffff:127.0.0.1")):
    for port in (FACTS["trap_port"], FACTS["http_port"]):
        tried(f"{host}:{port}")
        try:
            with socket.socket(family) as client:
                client.settimeout(2)
                client.connect((host, port))
                got(client.recv(100))
        except OSError as error:
            stopped(error)
