"""G18: descriptors sent along with frames, in numbers.

by: those that come with a frame that has none are closed; there is room for a few
verdict: ok worker_lost
timeout_s: 5
"""
import array
import socket
import time

tried("descriptors on the link")
channel = socket.socket(fileno=os.dup(link()))
carried = os.open("/dev/null", os.O_RDONLY)
try:
    for n in range(200):
        channel.sendmsg([frame({"type": "heartbeat", "seq": n})], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [carried] * 250))])
except OSError as error:
    stopped(error)
time.sleep(0.2)
