"""E18: resolv.conf, hosts, nsswitch: nothing of the host's.

by: a private /etc
"""
tried("/etc")
for name, wanted in (("resolv.conf", ()), ("hosts", ("127.0.0.1", "::1"))):
    try:
        for line in open(f"/etc/{name}"):
            words = line.split("#")[0].split()
            if words and words[0] not in wanted and not line.startswith(("ff", "fe")):
                got(f"{name}: {line}")
    except OSError as error:
        stopped(error)
