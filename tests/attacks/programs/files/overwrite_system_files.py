"""C01a: opens files of the system for writing, in every way there is.

by: a read-only root
stopped: EROFS EACCES ENOENT EPERM ETXTBSY ENOTDIR ENOTSUP EISDIR EXDEV
"""
for path in ("/etc/passwd", "/etc/hosts", "/etc/ld.so.cache", "/usr/lib/python3.11/os.py", sys.executable or "/usr/bin/python3",
             "/usr/bin/python3.11", "/lib64/ld-linux-x86-64.so.2", os.__file__, "/etc/resolv.conf", "/bin/sh"):
    refused(f"append to {path}", os.open, path, os.O_WRONLY | os.O_APPEND)
    refused(f"truncate {path}", os.truncate, path, 0)
    refused(f"read and write {path}", os.open, path, os.O_RDWR)
    refused(f"mode of {path}", os.chmod, path, 0o777)
    refused(f"times of {path}", os.utime, path)
    refused(f"attribute of {path}", os.setxattr, path, "user.attack", b"1")
    refused(f"owner of {path}", os.chown, path, os.getuid(), os.getgid())
    refused(f"temporary file beside {path}", os.open, os.path.dirname(path), os.O_TMPFILE | os.O_WRONLY)
