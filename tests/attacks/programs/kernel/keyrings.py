"""D05: kernel keyrings, which hold keys of other processes of the same user.

by: seccomp
stopped: ENOSYS EPERM EACCES
"""
refused("add_key", call, 248, b"user", b"attack", b"secret", 6, -3)
refused("request_key", call, 249, b"user", b"attack", None, -3)
for command, argument in ((0, -3), (0, -4), (6, -5), (11, -3), (17, -3), (1, 0)):
    refused(f"keyctl {command}", call, 250, command, argument, 0, 0, 0)
