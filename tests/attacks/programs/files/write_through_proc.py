"""C01c: a file opened for reading, opened again for writing through /proc/self/fd.

by: a read-only root
stopped: EROFS EACCES ENOENT EPERM
"""
with open("/usr/lib/python3.11/os.py", "rb") as file:
    refused("again, for writing", os.open, f"/proc/self/fd/{file.fileno()}", os.O_RDWR)
    refused("mode by descriptor", os.chmod, f"/proc/self/fd/{file.fileno()}", 0o777)
path = os.open("/etc", os.O_PATH)
refused("beneath an O_PATH descriptor", os.open, "capsule-attack", os.O_CREAT | os.O_WRONLY, dir_fd=path)
refused("through /proc/self/root", open, "/proc/self/root/etc/capsule-attack", "w")
refused("through /proc/self/cwd/..", open, "/proc/self/cwd/../etc/capsule-attack", "w")
