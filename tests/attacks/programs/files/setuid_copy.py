"""C25: a set-uid copy of a program.

by: nosuid, no_new_privs
"""
import shutil
import subprocess

tried("a set-uid program")
for mode in (0o4777, 0o6777):
    try:
        shutil.copy("/usr/bin/id", "/workspace/id")
        os.chmod("/workspace/id", mode)
        text = subprocess.run(["/workspace/id", "-u"], capture_output=True, text=True).stdout.strip()
        if text not in ("", str(os.getuid())):
            got(text)
    except OSError as error:
        stopped(error)
