"""A11a: directories without end.

by: the number of files of the file system
stopped: ENOSPC
"""
tried("directories")
try:
    for n in range(50000):
        os.mkdir(f"d{n}")
    got("50000 directories")
except OSError as error:
    stopped(error)
