"""E21: connections and listening sockets of the host in /proc/net.

by: the network namespace
"""
tried("/proc/net")
port = f":{FACTS['trap_port']:04X}"
for name in ("tcp", "tcp6", "udp", "unix"):
    try:
        text = open(f"/proc/net/{name}").read()
        if port in text or FACTS["trap_abstract"] in text or FACTS["manager_socket"] in text:
            got(name)
    except OSError as error:
        stopped(error)
