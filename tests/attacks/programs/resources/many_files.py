"""A11: empty files without end.

by: the number of files of the file system
stopped: ENOSPC
size: 50000 1000000
"""
tried("empty files")
try:
    for n in range(SIZE):
        os.close(os.open(f"f{n}", os.O_CREAT | os.O_WRONLY))
    got(f"{SIZE} files")
except OSError as error:
    stopped(error)
