"""C02: reads what a system hides from its users.

by: a private root
stopped: ENOENT EACCES EPERM ENOTDIR
"""
ROOT = "/root"
for path in ("/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssh/ssh_host_ed25519_key", "/etc/machine-id", "/root",
             f"{ROOT}/.ssh/id_rsa", f"{ROOT}/.bash_history", "/home", "/var/log", "/var/lib", "/var/run/docker.sock", "/boot",
             "/run/secrets", "/run/systemd", "/sys/class/net", "/sys/kernel", "/sys/firmware", "/srv", "/mnt", "/media",
             "/etc/crontab", "/etc/fstab", "/etc/environment", "/var/spool", "/var/backups", "/proc/kcore", "/dev/mem"):
    tried(path)
    try:
        found = os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(100)
        if found:
            got(f"{path}: {found!r:.60}")
        else:
            say("STOPPED", "ENOENT")
    except OSError as error:
        stopped(error)
