"""E10: a symbolic link to a socket of the host.

by: the private root
stopped: ENOENT EACCES EPERM ECONNREFUSED ENOSYS
"""
import socket

for n, path in enumerate((FACTS["manager_socket"], FACTS["trap_path"])):
    os.symlink(path, f"link{n}")
    tried(path)
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"link{n}")
            got(path)
    except OSError as error:
        stopped(error)
