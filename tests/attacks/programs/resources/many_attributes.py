"""A11d: extended attributes: kernel memory that no file size shows.

by: refused by the file system, or charged to the capsule
verdict: ok out_of_memory
"""
tried("extended attributes")
open("file", "w").close()
total = 0
for kind in ("user", "trusted", "security"):
    try:
        for n in range(20000):
            os.setxattr("file", f"{kind}.{n}", bytes(60000))
            total += 60000
    except OSError as error:
        stopped(error)
if total > 300 << 20:
    got(f"{total >> 20} MiB of attributes")
