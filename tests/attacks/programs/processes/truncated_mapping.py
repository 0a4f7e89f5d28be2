"""B13: a mapped file cut short: SIGBUS.

by: the wait status
verdict: crashed
signal: 7
"""
import mmap

tried("a truncated mapping")
with open("mapped", "w+b") as file:
    file.write(bytes(8192))
    file.flush()
    page = mmap.mmap(file.fileno(), 8192)
    os.truncate("mapped", 0)
    page[5000]
