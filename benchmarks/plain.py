"""Python without anything around it, driven by lines on stdin: what a print flood and a Ctrl-C cost at best.

    flood N    prints N lines of 64 bytes, line-buffered
    spin       prints "round", loops until SIGINT, prints "seen"
"""
import sys

LINE = "x" * 63

# One write per line, as a terminal gets it and as a notebook cell's output is expected to come.
sys.stdout.reconfigure(line_buffering=True)
print("ready")
for order in sys.stdin:
    word, *rest = order.split()
    if word == "flood":
        for i in range(int(rest[0])):
            print(LINE)
    elif word == "spin":
        try:
            print("round")
            while True:
                pass
        except KeyboardInterrupt:
            print("seen")
