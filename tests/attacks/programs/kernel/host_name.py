"""D22: the host's name and domain set.

by: no capabilities, seccomp
stopped: EPERM ENOSYS
"""
refused("sethostname", call, 170, b"attacked", 8)
refused("setdomainname", call, 171, b"attacked", 8)
