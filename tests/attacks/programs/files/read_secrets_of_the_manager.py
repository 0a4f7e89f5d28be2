"""C02a: reads the manager's files, its state, its socket, the secret beside it, the sources.

by: a private root
stopped: ENOENT EACCES EPERM ENOTDIR ENXIO
"""
for path in (FACTS["secret"], FACTS["watched"], FACTS["manager_directory"], FACTS["manager_directory"] + "/capsule.toml",
             FACTS["manager_directory"] + "/log", FACTS["manager_directory"] + "/state", FACTS["manager_socket"],
             FACTS["source_tree"], FACTS["build"], f"/proc/{FACTS['manager_pid']}/environ",
             f"/proc/{FACTS['decoy_pid']}/cmdline"):
    tried(path)
    try:
        got(f"{path}: {(os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read(100))!r}")
    except OSError as error:
        stopped(error)
