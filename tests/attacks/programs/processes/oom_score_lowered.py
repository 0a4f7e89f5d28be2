"""B18b: its own oom score lowered, so that others are killed in its place.

by: no capabilities
stopped: EACCES EPERM EROFS
"""
tried("oom_score_adj")
for value in ("-1000", "-1", "0"):
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(value)
        if int(open("/proc/self/oom_score_adj").read()) < 500:
            got(value)
    except OSError as error:
        stopped(error)
