"""B14: recursion with the limit taken away.

by: the wait status
verdict: crashed exception
"""
sys.setrecursionlimit(10**9)
tried("recursion")


class Deep:
    def __repr__(self):
        return repr(self)


repr(Deep())
