"""A grandchild in a session of its own stays behind, with the program's output open."""
import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(3600)
    os._exit(0)
os.wait()
print("parent is done")
