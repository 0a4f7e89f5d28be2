"""Every byte there is, most of them not text."""
import os

os.write(1, bytes(range(256)) * 4)
os.write(2, bytes(reversed(range(256))))
