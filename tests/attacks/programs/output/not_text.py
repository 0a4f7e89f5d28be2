"""H05: bytes that are no text: bad UTF-8, NUL, halves of characters at every chunk's edge.

by: bytes pass unchanged
"""
tried("bytes")
os.write(1, bytes(range(256)) * 300 + b"\n")
os.write(1, ("é" * 70000).encode()[1:] + b"\n")
os.write(2, b"\xff\xfe\xc0\x80" * 10000)
