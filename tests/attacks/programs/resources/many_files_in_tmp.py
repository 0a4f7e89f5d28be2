"""A11c: empty files without end in /tmp and /dev/shm.

by: the number of files of the file systems
stopped: ENOSPC
timeout_s: 60
"""
for place in ("/tmp", "/dev/shm"):
    tried(place)
    try:
        for n in range(200000):
            os.close(os.open(f"{place}/capsule-attack{n}", os.O_CREAT | os.O_WRONLY))
        got(f"200000 files in {place}")
    except OSError as error:
        stopped(error)
