"""A16: descriptors that wait in socket queues, nested: they count for nobody's table.

by: the kernel's limit on descriptors in flight
stopped: ETOOMANYREFS EAGAIN EMFILE EPERM
size: 20000 200000
"""
import array
import socket

tried("descriptors in flight")
carried = os.open("/dev/null", os.O_RDONLY)
kept = []
try:
    for _ in range(SIZE):
        left, right = socket.socketpair()
        left.setblocking(False)
        for _ in range(200):
            left.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [carried] * 250))])
        kept.append((left, right))
except OSError as error:
    stopped(error)
else:
    got("no end to descriptors in flight")
