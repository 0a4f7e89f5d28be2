"""Forks, and both go on to the end of the program."""
import os

child = os.fork()
if child:
    os.waitpid(child, 0)
    print("parent")
else:
    print("child", flush=True)
