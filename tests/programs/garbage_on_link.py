"""Writes garbage into every descriptor that is not its own."""
import os
import time

for fd in range(3, 256):
    try:
        os.write(fd, b"\xff" * 64)
    except OSError:
        pass
time.sleep(3600)
