"""A line of 1 GiB and one more byte to end it."""
import sys

for _ in range(1024):
    sys.stdout.write("x" * (1 << 20))
print()
