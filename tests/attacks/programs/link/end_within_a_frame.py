"""G07: the link closed in the middle of a frame.

by: the end of the link is the end of the worker, whoever of the two sees it first
verdict: worker_lost exit
"""
import socket
import time

tried("half a frame")
os.write(link(), b"\0\0\1\0half")
socket.socket(fileno=os.dup(link())).shutdown(socket.SHUT_RDWR)
time.sleep(5)
