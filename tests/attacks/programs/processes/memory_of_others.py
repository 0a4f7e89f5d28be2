"""B05: process_vm_readv and process_vm_writev, on keeper, outsiders and oneself.

by: seccomp
stopped: EPERM ESRCH ENOSYS
"""
buffer = ctypes.create_string_buffer(64)
local = (ctypes.c_ulong * 2)(ctypes.addressof(buffer), 64)
remote = (ctypes.c_ulong * 2)(ctypes.addressof(buffer), 64)
for pid in (1, FACTS["manager_pid"], FACTS["decoy_pid"], os.getpid()):
    refused(f"process_vm_readv {pid}", call, 310, pid, local, 1, remote, 1, 0)
    refused(f"process_vm_writev {pid}", call, 311, pid, local, 1, remote, 1, 0)
