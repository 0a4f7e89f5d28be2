"""A value whose repr has 64 million characters."""


class Huge:
    def __repr__(self):
        return "r" * (64 << 20)


Huge()
