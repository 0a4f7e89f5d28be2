"""K09: what tells one machine from another: name, machine id, firmware, disks, network cards, boot id of logs.

by: the private root, the UTS namespace
"""
import platform
import socket

tried("identity")
if platform.node() != "capsule" or socket.gethostname() != "capsule":
    got(platform.node())
for path in ("/etc/machine-id", "/var/lib/dbus/machine-id", "/sys/class/dmi/id/product_uuid", "/sys/class/net/eth0/address",
             "/proc/device-tree", "/sys/firmware/dmi/tables/DMI", "/etc/hostname", "/sys/devices", "/dev/disk/by-uuid"):
    tried(path)
    try:
        data = os.listdir(path) if os.path.isdir(path) else open(path).read()
        if data not in ("capsule\n", "", []):
            got(f"{path}: {data!r:.50}")
    except OSError as error:
        stopped(error)
