"""D34: calls that time has passed by.

by: seccomp
stopped: ENOSYS EPERM EINVAL EFAULT
"""
for number, name in ((134, "uselib"), (136, "ustat"), (139, "sysfs"), (156, "_sysctl"), (174, "create_module"),
                     (177, "get_kernel_syms"), (178, "query_module"), (180, "nfsservctl"), (181, "getpmsg"), (182, "putpmsg"),
                     (183, "afs_syscall"), (184, "tuxcall"), (185, "security"), (205, "set_thread_area"), (214, "epoll_ctl_old"),
                     (215, "epoll_wait_old"), (236, "vserver"), (512, "x32 rt_sigaction"), (547, "x32 pwritev2")):
    refused(name, call, number, 0, 0, 0, 0, 0)
