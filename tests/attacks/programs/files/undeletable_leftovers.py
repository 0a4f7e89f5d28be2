"""C24: directories without any right, deep in each other, with names that shells cannot take.

by: the capsule ends with its mounts; nothing is deleted by name
"""
tried("leftovers")
for name in (b"\xc3", b"\xff\xfe", b"new\nline", b"\x1b]0;title\x07", b"-rf", b"*", b" ", b"a" * 255, b"\xed\xa0\x80"):
    os.mkdir(name)
    open(name + b"/file" if len(name) < 250 else name + b"/f", "w").close()
    os.chmod(name, 0)
for _ in range(200):
    os.mkdir("closed")
    os.chdir("closed")
os.chmod(".", 0)
