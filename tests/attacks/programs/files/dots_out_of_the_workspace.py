"""C03: ../ in all its forms.

by: a private root: there is nothing above
stopped: ENOENT EACCES EPERM ENOTDIR ENAMETOOLONG
"""
secret = FACTS["secret"].lstrip("/")
for path in ("../" * 40 + secret, "./" * 10 + "../" * 10 + secret, "..//..//..//..//../" + secret, "%2e%2e/" * 6 + secret,
             "..%2f" * 6 + secret, "....//" * 6 + secret, "/proc/self/cwd/../../../" + secret, "/./../" + secret,
             "/workspace/../" + secret, "/proc/self/root/" + secret, "/proc/1/root/" + secret, "/proc/thread-self/root/" + secret,
             "/dev/fd/../../../" + secret, "/proc/self/task/../root/" + secret):
    tried(path)
    try:
        got(open(path, "rb").read(50))
    except OSError as error:
        stopped(error)
