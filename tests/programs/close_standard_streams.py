"""Closes only its own three."""
import os
import sys

print("before")
sys.stdout.flush()
for fd in (0, 1, 2):
    os.close(fd)
