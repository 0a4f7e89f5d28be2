"""B24: LD_PRELOAD, LD_LIBRARY_PATH and PYTHONPATH for its children: only its own tree.

by: nothing outside reads its environment
"""
import subprocess

open("evil.py", "w").write("print('loaded')")
tried("loader variables")
environment = {"LD_PRELOAD": "/workspace/evil.so", "LD_LIBRARY_PATH": "/workspace", "PYTHONPATH": "/workspace",
               "PYTHONSTARTUP": "/workspace/evil.py", "PATH": "/workspace:/usr/bin:/bin"}
os.environ.update(environment)
subprocess.run(["/usr/bin/python3", "-c", "import evil"], capture_output=True)
