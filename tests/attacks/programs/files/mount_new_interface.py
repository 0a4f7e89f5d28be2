"""C15a: the newer mount calls.

by: seccomp
stopped: EPERM ENOSYS EACCES
"""
refused("fsopen", call, 430, b"tmpfs", 0)
refused("fsconfig", call, 431, 0, 0, b"a", b"b", 0)
refused("fsmount", call, 432, 0, 0, 0)
refused("fspick", call, 433, -100, b"/", 0)
refused("open_tree", call, 428, -100, b"/", 1)
refused("move_mount", call, 429, -100, b"/", -100, b"/tmp", 0)
refused("mount_setattr", call, 442, -100, b"/", 0, bytes(32), 32)
refused("open_tree_attr", call, 467, -100, b"/", 1, bytes(32), 32)
