"""A12: a thousand levels of directories, and a path beyond PATH_MAX.

by: nothing has to walk it
stopped: ENAMETOOLONG
"""
tried("a thousand levels")
for _ in range(1000):
    os.mkdir("d" * 20)
    os.chdir("d" * 20)
open("deepest", "w").write("here")
refused("a path of 20 KiB", open, "/workspace/" + "d/" * 10000)
