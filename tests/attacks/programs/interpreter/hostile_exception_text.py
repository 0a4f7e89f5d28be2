"""F18a: an exception whose text is a gigabyte, another whose text raises, a third that is not text.

by: limits of what is kept of an error
verdict: exception out_of_memory
"""


class Huge(Exception):
    def __str__(self):
        return "x" * (100 << 20)


tried("a huge message")
raise Huge()
