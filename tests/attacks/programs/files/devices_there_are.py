"""C21: every device in /dev is harmless, and none is a disk or memory.

by: a /dev of its own
"""
import stat

HARMLESS = {(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)}
tried("/dev")
for place, names, files in os.walk("/dev"):
    for name in files:
        path = f"{place}/{name}"
        mode = os.lstat(path)
        if stat.S_ISBLK(mode.st_mode):
            got(path)
        if stat.S_ISCHR(mode.st_mode) and (os.major(mode.st_rdev), os.minor(mode.st_rdev)) not in HARMLESS and "/pts" not in place:
            got(f"{path} {os.major(mode.st_rdev)}:{os.minor(mode.st_rdev)}")
