"""K03: the arguments and names of all other processes.

by: the pid namespace
"""
tried("arguments")
for name in os.listdir("/proc"):
    if name.isdigit():
        for each in ("cmdline", "comm", "environ"):
            try:
                data = open(f"/proc/{name}/{each}", "rb").read()
            except OSError as error:
                stopped(error)
                continue
            if b"CANARY" in data or (each == "cmdline" and int(name) not in (1, os.getpid())):
                got(f"{name} {each} {data!r}")
