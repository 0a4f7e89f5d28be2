"""C05: plants itself where a shell, cron, ssh or Python would start it.

by: a private root
stopped: EROFS ENOENT EACCES EPERM ENOTDIR
"""
ROOT = "/root"
for path in (f"{ROOT}/.bashrc", f"{ROOT}/.profile", f"{ROOT}/.ssh/authorized_keys", "/etc/cron.d/attack", "/etc/crontab",
             "/var/spool/cron/crontabs/root", "/etc/profile.d/attack.sh", "/etc/ld.so.preload", "/etc/rc.local",
             "/etc/systemd/system/attack.service", "/usr/lib/python3.11/sitecustomize.py", "/etc/python3.11/sitecustomize.py",
             "/usr/lib/python3/dist-packages/attack.pth", "/etc/update-motd.d/attack", "/etc/sudoers.d/attack"):
    refused(path, open, path, "a")
