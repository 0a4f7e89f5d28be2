"""A15: files opened until it is refused.

by: RLIMIT_NOFILE
stopped: EMFILE
"""
tried("open files")
kept = []
try:
    for _ in range(100000):
        kept.append(os.open("/dev/null", os.O_RDONLY))
    got("100000 open files")
except OSError as error:
    stopped(error)
assert len(kept) < 300, len(kept)
