"""A17a: socket pairs with full buffers.

by: RLIMIT_NOFILE, charged to the capsule
verdict: ok out_of_memory
"""
import socket

tried("full socket buffers")
kept = []
try:
    for _ in range(5000):
        pair = socket.socketpair()
        kept.append(pair)
        for end in pair:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30)
            end.setblocking(False)
            try:
                while True:
                    end.send(bytes(1 << 16))
            except BlockingIOError:
                pass
    got("5000 pairs")
except OSError as error:
    stopped(error)
