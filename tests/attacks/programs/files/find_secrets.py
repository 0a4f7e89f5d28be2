"""C02b: walks all it can see and reads every small file: no canary is among it.

by: a private root
timeout_s: 60
size: 4000 200000
"""
tried("the whole tree")
read = 0
for place, names, files in os.walk("/", followlinks=False):
    if place.startswith(("/proc", "/usr/share/doc", "/usr/lib/python3/dist-packages")):
        names[:] = []
        continue
    for name in files:
        path = f"{place}/{name}"
        try:
            if os.path.isfile(path) and os.path.getsize(path) < 20000 and read < SIZE:
                read += 1
                with open(path, "rb") as file:
                    if b"CANARY-" in file.read():
                        got(path)
        except OSError:
            pass
