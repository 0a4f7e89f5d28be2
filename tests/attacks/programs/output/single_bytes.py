"""H03: one byte at a time, ten million times.

by: chunks are gathered
verdict: ok timeout
size: 200000 10000000
timeout_s: 20
"""
tried("single bytes")
try:
    for _ in range(SIZE):
        os.write(1, b".")
except KeyboardInterrupt:
    pass
