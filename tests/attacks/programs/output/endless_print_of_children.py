"""H01b: many children print without end at the same time.

by: the output limit
verdict: output_limit
policy: stop
output_bytes: 1000000
"""
tried("children that print")
for _ in range(8):
    if os.fork() == 0:
        while True:
            os.write(1, b"z" * 65536)
while True:
    os.write(2, b"z" * 65536)
