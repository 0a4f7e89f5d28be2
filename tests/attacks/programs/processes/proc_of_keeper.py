"""B07: the keeper's environment, memory, maps, descriptors, root and directory.

by: the keeper is not dumpable
stopped: EACCES EPERM ENOENT
"""
for pid in {1, os.getppid()}:
    for name in ("environ", "maps", "mem", "smaps", "auxv", "stack", "syscall", "io", "personality"):
        tried(f"/proc/{pid}/{name}")
        try:
            with open(f"/proc/{pid}/{name}", "rb", 0) as file:
                if name == "mem":
                    file.seek(0x400000)
                data = file.read(64)
            if data:
                got(f"{name}: {data!r}")
            else:
                say("STOPPED", "EACCES")
        except OSError as error:
            stopped(error)
    for name in ("fd", "fdinfo", "map_files", "task/1/fd", "root", "cwd"):
        refused(f"/proc/{pid}/{name}", os.listdir, f"/proc/{pid}/{name}")
    for name in ("root", "cwd", "exe", "ns/user", "ns/mnt", "ns/pid", "ns/net"):
        refused(f"link {name}", os.readlink, f"/proc/{pid}/{name}")
