"""E20: network devices: only loopback, and not to be changed; no tunnel device.

by: the network namespace, no capabilities
"""
import socket
import struct

tried("interfaces")
names = [name for _, name in socket.if_nameindex()] if hasattr(socket, "AF_NETLINK") and False else []
for line in open("/proc/net/dev").read().splitlines()[2:] if os.path.exists("/proc/net/dev") else ():
    name = line.split(":")[0].strip()
    if name not in ("lo", "sit0", "tunl0", "ip6tnl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6gre0"):
        got(name)
for path in ("/dev/net/tun", "/dev/vhost-net", "/dev/vsock", "/dev/rfkill", "/dev/ppp"):
    refused(path, os.open, path, os.O_RDWR)
