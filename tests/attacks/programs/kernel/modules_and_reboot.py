"""D09: modules, another kernel, reboot, ports, swap.

by: no capabilities, seccomp
stopped: EPERM ENOSYS EACCES
"""
refused("init_module", call, 175, bytes(64), 64, b"")
refused("finit_module", call, 313, 0, b"", 0)
refused("delete_module", call, 176, b"loop", 0)
refused("kexec_load", call, 246, 0, 0, None, 0)
refused("kexec_file_load", call, 320, 0, 0, 0, b"", 0)
refused("reboot", call, 169, 0xFEE1DEAD, 672274793, 0x1234567, None)
refused("iopl", call, 172, 3)
refused("ioperm", call, 173, 0, 1024, 1)
refused("modify_ldt", call, 154, 1, bytes(16), 16)
refused("lookup_dcookie", call, 212, 0, bytes(64), 64)
refused("vhangup", call, 153)
