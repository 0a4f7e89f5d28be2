"""E05: a server of its own on loopback works where the profile says so, and is nobody else's.

by: the network namespace
profile: loopback
"""
import socket

tried("a server of its own")
with socket.create_server(("127.0.0.1", FACTS["trap_port"])) as server:
    with socket.create_connection(server.getsockname(), timeout=5) as client:
        peer, _ = server.accept()
        peer.sendall(b"mine")
        assert client.recv(4) == b"mine"
        peer.close()
