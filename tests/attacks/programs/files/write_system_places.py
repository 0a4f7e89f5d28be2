"""C01: writes into the system, the interpreter and the modules the zygote has loaded.

by: a read-only root
stopped: EROFS EACCES ENOENT EPERM ENOTDIR ENXIO
"""
import json as loaded

for place in ("/", "/etc", "/usr", "/usr/bin", "/lib", "/lib64", "/bin", "/sbin", "/usr/lib/python3.11",
              "/usr/lib/python3/dist-packages", "/usr/local/lib/python3.11/dist-packages", "/opt", "/var", "/root",
              "/home", "/boot", "/dev", "/run", "/srv", "/mnt", "/proc", "/sys", os.path.dirname(loaded.__file__)):
    refused(f"a file in {place}", open, f"{place}/capsule-attack", "w")
    refused(f"a directory in {place}", os.mkdir, f"{place}/capsule-attack-dir")
