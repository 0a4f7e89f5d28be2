"""A10: the workspace filled up; it can be emptied and used again.

by: the size of its file system
stopped: ENOSPC
"""
tried("the workspace")
try:
    with open("filler", "wb", 0) as file:
        for _ in range(1024):
            if file.write(bytes(1 << 20)) < 1 << 20:
                file.write(b"x")
    got("1 GiB in the workspace")
except OSError as error:
    stopped(error)
os.unlink("filler")
open("after", "w").write("works")
