"""C15b: chroot and pivot_root.

by: no capabilities, seccomp
stopped: EPERM ENOSYS EACCES
"""
os.mkdir("root")
refused("chroot", call, 161, b"/workspace/root")
refused("chroot to here", call, 161, b".")
refused("pivot_root", call, 155, b"/workspace/root", b"/workspace/root")
