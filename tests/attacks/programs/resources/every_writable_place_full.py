"""A10b: every directory it can write in, filled up one after the other: together no more than the memory limit.

by: sizes of the file systems, the memory limit
verdict: ok out_of_memory
timeout_s: 60
"""
tried("every writable directory")
total = 0
for place in [p for p, names, files in os.walk("/") if not p.startswith(("/proc", "/sys")) and os.access(p, os.W_OK)][:40]:
    try:
        with open(f"{place}/capsule-attack", "wb", 0) as file:
            for _ in range(256):
                written = file.write(bytes(1 << 20))
                total += written
                if written < 1 << 20:
                    break
    except OSError as error:
        stopped(error)
if total > 300 << 20:
    got(f"{total >> 20} MiB in files")
