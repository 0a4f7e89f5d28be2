"""SIGKILL to everything it can reach, then to its parent."""
import os
import signal

for target in (-1, os.getppid()):
    try:
        os.kill(target, signal.SIGKILL)
    except OSError:
        pass
print("still here")
