"""F05b: streams whose every attribute raises or hangs up.

by: the worker's own way to the pipes
verdict: ok exception
"""


class Hostile:
    def __getattribute__(self, name):
        raise SystemExit(3)


tried("hostile streams")
sys.stdout = sys.stderr = sys.stdin = Hostile()
