"""G22: credentials of others claimed on the link.

by: no capabilities; a worker is known by its pidfd
verdict: ok worker_lost
stopped: EPERM EINVAL ESRCH
"""
import socket
import struct

channel = socket.socket(fileno=os.dup(link()))
for pid, uid in ((FACTS["manager_pid"], 0), (1, 0), (os.getpid(), 65534 if os.getuid() != 65534 else 1)):
    refused(f"{pid} {uid}", channel.sendmsg, [b""], [(socket.SOL_SOCKET, 2, struct.pack("iII", pid, uid, uid))])
