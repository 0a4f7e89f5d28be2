"""F05a: standard streams closed, as objects and as descriptors.

by: the worker's own way to the pipes
verdict: ok exception
"""
tried("closed streams")
for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__, sys.stdin):
    stream.close()
for fd in (0, 1, 2):
    try:
        os.close(fd)
    except OSError:
        pass
