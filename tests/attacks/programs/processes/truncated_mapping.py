"""B13: a mapped file cut short: SIGBUS.

by: the wait status; by descriptor, as Debian 12 refuses truncation by name
verdict: crashed
signal: 7
"""
import mmap

tried("a truncated mapping")
with open("mapped", "w+b") as file:
    file.write(bytes(8192))
    file.flush()
    page = mmap.mmap(file.fileno(), 8192)
    os.ftruncate(file.fileno(), 0)
    page[5000]
