"""F24: all memory of its own process searched for secrets.

by: the zygote was executed anew, with an empty environment, before any secret
timeout_s: 60
"""
tried("memory")
needle = b"CANARY" + b"-"
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
    for line in maps.readlines():
        place, rights = line.split()[:2]
        start, end = (int(part, 16) for part in place.split("-"))
        if "r" not in rights or end - start > 256 << 20 or "[v" in line:
            continue
        try:
            memory.seek(start)
            data = memory.read(end - start)
        except (OSError, OverflowError, MemoryError):
            continue
        at = data.find(needle)
        while at >= 0:
            if data[at + 7:at + 39].isalnum() and len(set(data[at + 7:at + 39])) > 6:
                got(f"{line.split()[-1]} {data[at:at + 39]!r}")
            at = data.find(needle, at + 1)
