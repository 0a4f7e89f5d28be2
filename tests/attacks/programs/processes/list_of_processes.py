"""B07b: all processes that /proc shows: the capsule's own.

by: the pid namespace
"""
tried("list /proc")
shown = [int(name) for name in os.listdir("/proc") if name.isdigit()]
if set(shown) - {1, os.getpid()}:
    got(shown)
