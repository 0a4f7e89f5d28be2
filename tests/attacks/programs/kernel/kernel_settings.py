"""D27: settings of the kernel written: core_pattern, sysrq, panic, modprobe, hotplug.

by: a read-only /proc/sys
stopped: EACCES EROFS ENOENT EPERM
"""
for name in ("kernel/core_pattern", "kernel/modprobe", "kernel/hotplug", "kernel/sysrq", "kernel/panic", "vm/overcommit_memory",
             "vm/drop_caches", "kernel/pid_max", "kernel/threads-max", "fs/file-max", "kernel/domainname", "kernel/hostname",
             "kernel/ns_last_pid", "kernel/unprivileged_bpf_disabled", "net/ipv4/ip_forward", "user/max_user_namespaces",
             "kernel/randomize_va_space", "fs/binfmt_misc/register", "kernel/shmmax", "kernel/msgmax", "fs/mqueue/msg_max"):
    refused(name, open, f"/proc/sys/{name}", "w")
refused("sysrq-trigger", open, "/proc/sysrq-trigger", "w")
refused("irq", open, "/proc/irq/default_smp_affinity", "w")
refused("mtrr", open, "/proc/mtrr", "w")
