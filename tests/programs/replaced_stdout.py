"""Replaces the standard streams by nothing and by something that always fails."""
import sys


class Broken:
    def write(self, text):
        raise OSError("no")

    def flush(self):
        raise OSError("no")


print("before")
sys.stdout = None
sys.stderr = Broken()
sys.__stdout__ = None
