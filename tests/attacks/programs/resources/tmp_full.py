"""A10a: /tmp filled up.

by: the size of its file system
stopped: ENOSPC
"""
tried("/tmp")
try:
    with open("/tmp/filler", "wb", 0) as file:
        for _ in range(1024):
            if file.write(bytes(1 << 20)) < 1 << 20:
                file.write(b"x")
    got("1 GiB in /tmp")
except OSError as error:
    stopped(error)
