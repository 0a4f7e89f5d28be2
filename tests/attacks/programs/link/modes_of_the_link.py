"""G21: the link made blocking, asynchronous, shut on one side, its buffers one byte.

by: each end has modes of its own
verdict: ok worker_lost timeout
timeout_s: 4
"""
import fcntl
import socket
import time

tried("modes of the link")
channel = socket.socket(fileno=os.dup(link()))
for flags in (0, os.O_NONBLOCK, os.O_ASYNC, os.O_APPEND):
    try:
        fcntl.fcntl(link(), fcntl.F_SETFL, flags)
    except OSError as error:
        stopped(error)
for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
    channel.setsockopt(socket.SOL_SOCKET, option, 1)
channel.setsockopt(socket.SOL_SOCKET, 42, 3)  # SO_PEEK_OFF
time.sleep(0.3)
