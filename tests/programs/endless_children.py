"""Leaves fifty sleeping children."""
import subprocess

children = [subprocess.Popen(["sleep", "3600"]) for _ in range(50)]
print(len(children))
