"""Recursion without a limit, in C as well: the stack runs out."""
import sys

sys.setrecursionlimit(1 << 30)


class Deep:
    def __repr__(self):
        return repr(self)


print(Deep())
