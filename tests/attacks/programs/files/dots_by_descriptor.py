"""C03a: fchdir and openat upwards from open directories.

by: a private root
stopped: ENOENT EACCES EPERM ENOTDIR
"""
secret = FACTS["secret"].lstrip("/")
for start in (".", "/", "/tmp", "/proc/self/ns", "/dev"):
    tried(start)
    try:
        fd = os.open(start, os.O_RDONLY | os.O_DIRECTORY)
        os.fchdir(fd)
        for _ in range(50):
            os.chdir("..")
        got(open(secret, "rb").read(50))
    except OSError as error:
        stopped(error)
    for name in (secret, "../" * 30 + secret):
        tried(f"openat {name}")
        try:
            got(os.open(name, os.O_RDONLY, dir_fd=fd))
        except OSError as error:
            stopped(error)
