"""E09: sockets of the host by their path: the manager's own, a trap, Docker's.

by: the private root; the manager refuses peers from capsules too
stopped: ENOENT EACCES EPERM ECONNREFUSED ENOSYS
"""
import socket

for path in (FACTS["manager_socket"], FACTS["trap_path"], "/var/run/docker.sock", "/run/dbus/system_bus_socket", "/run/systemd/notify",
             "/dev/log", "/proc/1/root" + FACTS["trap_path"], "/proc/self/cwd/../.." + FACTS["trap_path"]):
    tried(path)
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(2)
            client.connect(path)
            got(path)
    except OSError as error:
        stopped(error)
