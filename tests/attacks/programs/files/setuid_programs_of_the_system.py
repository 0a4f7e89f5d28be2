"""C25a: set-uid programs of the system.

by: nosuid, no_new_privs
"""
import subprocess

for program in ("/usr/bin/su", "/usr/bin/mount", "/usr/bin/passwd", "/usr/bin/newgrp", "/usr/bin/chsh", "/usr/bin/gpasswd"):
    tried(program)
    try:
        subprocess.run([program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=5)
        child = subprocess.Popen([program, "-x-unknown"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        child.communicate(timeout=5)
    except OSError as error:
        stopped(error)
