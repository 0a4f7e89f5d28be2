"""K06: speculation switched to unsafe for itself.

by: the kernel; its own process only
"""
tried("PR_SET_SPECULATION_CTRL")
for feature in (0, 1, 2):
    for value in (2, 4, 8):
        try:
            call(157, 53, feature, value, 0, 0)
        except OSError as error:
            stopped(error)
