"""A11b: symbolic and hard links without end.

by: the number of files of the file system
stopped: ENOSPC
"""
tried("links")
open("target", "w").close()
for link in (os.symlink, os.link):
    try:
        for n in range(50000):
            link("target", f"{link.__name__}{n}")
        got("50000 links")
    except OSError as error:
        stopped(error)
