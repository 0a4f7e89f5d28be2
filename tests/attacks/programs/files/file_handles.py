"""C18: files by handle, quotas, swap, accounting, watching the whole system.

by: no capabilities, seccomp
stopped: EPERM ENOSYS EACCES ENOTSUP
"""
handle = (ctypes.c_char * 144)()
ctypes.c_uint.from_buffer(handle).value = 128
number = ctypes.c_int()
refused("name_to_handle_at", call, 303, -100, b"/etc/passwd", handle, ctypes.pointer(number), 0)
refused("open_by_handle_at", call, 304, -100, handle, 0)
refused("quotactl", call, 179, 0x800007, b"/dev/sda", 0, None)
refused("quotactl_fd", call, 443, 0, 0, 0, None)
refused("swapon", call, 167, b"/workspace/swap", 0)
refused("swapoff", call, 168, b"/workspace/swap")
refused("acct", call, 163, b"/workspace/acct")
refused("fanotify_init", call, 300, 0, 0)
refused("fanotify_mark", call, 301, 0, 1, 1, -100, b"/")
