"""Leaves a hundred sleeping children."""
import subprocess

children = [subprocess.Popen(["sleep", "3600"]) for _ in range(100)]
print(len(children))
