"""A08: /dev/shm written past its size.

by: the size of /dev/shm
stopped: ENOSPC
"""
tried("/dev/shm")
with open("/dev/shm/capsule-attack", "wb", 0) as file:
    try:
        for _ in range(1024):
            file.write(bytes(1 << 20))
        got("1 GiB in /dev/shm")
    except OSError as error:
        stopped(error)
