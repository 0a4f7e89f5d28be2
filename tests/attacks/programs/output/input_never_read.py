"""H12: input that is sent and never read, its descriptor closed, read by three processes at once.

by: input goes by credit
input: true
"""
tried("input")
os.close(0)
for _ in range(3):
    if os.fork() == 0:
        os._exit(0)
