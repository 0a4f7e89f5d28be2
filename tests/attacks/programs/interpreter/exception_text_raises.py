"""F18b: an exception whose text, name and traceback raise.

by: the error report takes nothing on trust
verdict: exception exit
"""


class Meta(type):
    def __getattribute__(cls, name):
        if name in ("__name__", "__module__", "__qualname__"):
            raise KeyboardInterrupt
        return super().__getattribute__(name)


class Hostile(Exception, metaclass=Meta):
    def __str__(self):
        raise SystemExit(9)

    __repr__ = __str__


tried("a hostile exception")
raise Hostile()
