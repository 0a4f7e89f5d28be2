"""Python, a subprocess and Python again, in this order."""
import subprocess
import sys

print("one", flush=True)
subprocess.run(["sh", "-c", "echo two; echo two-err >&2"], check=True)
print("three")
print("three-err", file=sys.stderr)
