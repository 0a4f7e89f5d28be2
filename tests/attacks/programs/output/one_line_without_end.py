"""H02: one line of a gigabyte.

by: chunks by bytes; the output limit
verdict: ok
policy: truncate
output_bytes: 1000000
timeout_s: 60
size: 100 1000
"""
tried("a long line")
block = b"l" * (1 << 20)
for _ in range(SIZE):
    os.write(1, block)
