"""Writes files until there is no more room."""
import errno

block = b"x" * (1 << 20)
try:
    with open("big", "wb") as file:
        for _ in range(4096):
            file.write(block)
    print("no limit")
except OSError as error:
    print(errno.errorcode[error.errno])
