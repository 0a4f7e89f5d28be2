"""An exception whose text cannot be had."""


class Hostile(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


raise Hostile
