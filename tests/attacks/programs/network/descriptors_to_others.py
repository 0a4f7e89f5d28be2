"""E12: a socket at a name that another capsule might share, to pass descriptors.

by: namespaces and file systems of its own
"""
import socket

tried("shared names")
for name in ("/tmp/capsule-attack.sock", "/dev/shm/capsule-attack.sock", "\0capsule-attack", "/workspace/attack.sock"):
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(name)
            got(name)
    except OSError:
        pass
    try:
        server = socket.socket(socket.AF_UNIX)
        server.bind(name)
        server.listen()
    except OSError as error:
        stopped(error)
