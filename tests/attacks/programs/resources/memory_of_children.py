"""A06: children that are each below the limit, and together above it.

by: cgroup memory, or the manager's watch: the limit is the capsule's
verdict: ok out_of_memory
"""
import mmap


def fill():
    block = mmap.mmap(-1, 120 << 20)
    for at in range(0, len(block), 4096):
        block[at] = 1
    ready.write(b".")
    ready.close()
    gate.read(1)


tried("four children of 120 MiB")
gate_end, gate_start = os.pipe()
ready_end, ready_start = os.pipe()
gate, ready = open(gate_end, "rb", 0), open(ready_start, "wb", 0)
children = []
for _ in range(4):
    pid = os.fork()
    if pid == 0:
        os.close(gate_start)
        fill()
        os._exit(0)
    children.append(pid)
ready.close()
alive = len(open(ready_end, "rb").read(4))
os.close(gate_start)
killed = [pid for pid in children if os.WIFSIGNALED(os.waitpid(pid, 0)[1])]
if alive == 4 and not killed:
    got("480 MiB at the same time")
else:
    say("STOPPED", f"{len(killed)} children were killed")
