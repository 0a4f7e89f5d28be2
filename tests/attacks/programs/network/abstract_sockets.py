"""E08: abstract sockets of the host: a trap, D-Bus, X11.

by: the network namespace, Landlock where it can, seccomp
stopped: ECONNREFUSED EPERM EACCES ENOSYS
"""
import socket

for name in (FACTS["trap_abstract"], "/tmp/.X11-unix/X0", "/tmp/dbus-test", "/run/systemd/private", "/org/kernel/linux/storage/multipathd"):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        tried(name)
        try:
            with socket.socket(socket.AF_UNIX, kind) as client:
                client.settimeout(2)
                client.connect("\0" + name)
                got(name)
        except OSError as error:
            stopped(error)
