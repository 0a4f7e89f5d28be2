"""A09: a hundred memfds, written: pages that are in nobody's resident set.

by: cgroup memory
verdict: out_of_memory
bounded_by: cgroup
"""
tried("memfds")
kept = []
for n in range(100):
    kept.append(os.memfd_create(f"filler{n}"))
    for _ in range(10):
        os.write(kept[-1], bytes(1 << 20))
got("1000 MiB in memfds")
