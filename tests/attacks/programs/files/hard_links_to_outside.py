"""C09: hard links to files that are not its own.

by: file systems of its own
stopped: EXDEV ENOENT EPERM EACCES EROFS
"""
for path in (FACTS["secret"], FACTS["watched"] + "/writable", "/etc/passwd", "/usr/bin/python3.11", "/bin/sh", "/proc/self/exe",
             "/proc/1/environ"):
    refused(f"link to {path}", os.link, path, "linked")
    refused(f"link to {path}, followed", os.link, path, "linked2", follow_symlinks=True)
with open("/usr/lib/python3.11/os.py", "rb") as file:
    refused("link by descriptor", os.link, f"/proc/self/fd/{file.fileno()}", "linked3", follow_symlinks=True)
