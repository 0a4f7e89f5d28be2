"""B24: LD_PRELOAD, LD_LIBRARY_PATH and PYTHONPATH for its children: only its own tree.

by: nothing outside reads its environment
"""
import subprocess
import time

# Whatever loads it says so: to the trap, and in files next to it and in the watched tree.
open("evil.py", "w").write(f"""
import os, socket
open('/workspace/loaded', 'a').write(str(os.getpid()) + chr(10))
for act in (lambda: open({FACTS["watched"] + "/writable"!r}, 'a').write('loaded'),
            lambda: socket.socket(socket.AF_UNIX).connect({FACTS["trap_path"]!r})):
    try: act()
    except OSError: pass
""")
open("sitecustomize.py", "w").write("import evil")
tried("loader variables")
os.environ.update({"LD_PRELOAD": "/workspace/evil.so", "LD_LIBRARY_PATH": "/workspace", "PYTHONPATH": "/workspace",
                   "PYTHONSTARTUP": "/workspace/evil.py", "PATH": "/workspace:/usr/bin:/bin"})
libc.setenv(b"PYTHONPATH", b"/workspace", 1)
done = subprocess.run(["/usr/bin/python3", "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
time.sleep(0.5)
loaded = open("loaded").read().split() if os.path.exists("loaded") else []
if loaded != [done.stdout.strip()]:
    got(f"loaded by {loaded}, its own child is {done.stdout.strip()!r} {done.stderr[-200:]!r}")
