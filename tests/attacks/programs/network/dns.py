"""E02: names resolved, datagrams sent to a name server.

by: seccomp (socket families), the network namespace, an empty resolv.conf
needs: netns
"""
import socket

tried("getaddrinfo")
try:
    got(socket.getaddrinfo("secret.example.com", 80))
except OSError as error:
    stopped(error)
for address in (("8.8.8.8", 53), ("127.0.0.53", 53), ("192.0.2.1", 53)):
    tried(address)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"\0" * 32, address)
            got(address)
    except OSError as error:
        stopped(error)
