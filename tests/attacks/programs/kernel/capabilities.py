"""D14a: no capability in any set, and none to be had back.

by: empty capability sets
stopped: EPERM EACCES ENOSYS
"""
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
    tried(name)
    if int(status[name], 16):
        got(f"{name} {status[name]}")
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
refused("capset", call, 126, header, (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6))
refused("ambient", call, 157, 47, 2, 21, 0, 0)
