"""A13: a sparse file as large as the file system allows.

by: nothing is allocated; the manager reads no file it was not asked for
"""
tried("a sparse file")
for size in (1 << 50, 1 << 62, (1 << 63) - 1):
    try:
        with open("sparse", "wb") as file:
            file.truncate(size)
    except OSError as error:
        stopped(error)
