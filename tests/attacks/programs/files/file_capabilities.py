"""C25b: file capabilities on a copy of a program.

by: no capabilities, no_new_privs, nosuid
stopped: EPERM ENOTSUP EINVAL EACCES
"""
import shutil

shutil.copy("/usr/bin/id", "id")
refused("security.capability", os.setxattr, "id", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
refused("trusted.overlay", os.setxattr, "id", "trusted.overlay.opaque", b"y")
