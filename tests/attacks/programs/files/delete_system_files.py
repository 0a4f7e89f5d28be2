"""C04: deletes and renames files and directories of the system.

by: a read-only root
stopped: EROFS EACCES ENOENT EPERM EBUSY EXDEV ENOTEMPTY ENOTDIR
"""
for path in ("/etc/passwd", "/etc/hosts", "/usr/lib/python3.11/os.py", "/usr/bin/python3.11", "/bin", "/etc", "/usr", "/tmp",
             "/workspace", "/proc", "/dev/null", "/dev/shm"):
    refused(f"unlink {path}", os.unlink, path)
    refused(f"rename {path}", os.rename, path, path + ".old")
    refused(f"rename {path} into the workspace", os.rename, path, "/workspace/taken")
    refused(f"rmdir {path}", os.rmdir, path)
