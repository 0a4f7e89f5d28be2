"""D30: sixteen Landlock layers, to leave none for the supervisor.

by: the supervisor's layer is there first
stopped: E2BIG EACCES EROFS EPERM ENOENT
"""
tried("sixteen layers")
attributes = (ctypes.c_uint64 * 1)(1)
try:
    for _ in range(20):
        ruleset = call(444, attributes, 8, 0)
        call(446, ruleset, 0)
        os.close(ruleset)
    got("twenty layers on top of the supervisor's")
except OSError as error:
    stopped(error)
# What is forbidden stays so, in it and in what it starts.
def write():
    return os.open("/etc/passwd", os.O_WRONLY) or os.open(FACTS["watched"] + "/writable", os.O_WRONLY)
for name in ("/etc/passwd", "/etc/capsule-attack", "/usr/lib/python3.11/os.py"):
    refused(f"write {name}", os.open, name, os.O_WRONLY | os.O_CREAT)
if os.WEXITSTATUS(in_child(write)) != 99:
    got("a child may write outside")
