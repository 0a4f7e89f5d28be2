"""What an attack must not reach: a process that does nothing, listeners that nobody should call, files with secrets."""
import hashlib
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import threading

import processes

# Looked at before and after, by metadata: what a program with the manager's rights could write.
SYSTEM_PATHS = ["/etc", "/etc/passwd", "/etc/shadow", "/etc/hosts", "/etc/crontab", "/etc/cron.d", "/etc/ld.so.preload",
                "/usr", "/usr/bin", "/usr/bin/python3.11", "/usr/lib/python3.11", "/usr/lib/python3.11/os.py",
                "/usr/lib/python3/dist-packages", "/usr/lib/x86_64-linux-gnu", "/lib64", "/var/spool/cron", "/opt",
                "/root", "/home", "/dev/null", "/dev/shm", "/proc/sys/kernel/core_pattern",
                "~/.bashrc", "~/.profile", "~/.ssh", "~/.ssh/authorized_keys", "~/.config", "~/.python_history"]


def new_canary():
    return "CANARY-" + secrets.token_hex(16)


class Decoy:
    """A process of the same user as the manager. Every signal but SIGCHLD and SIGCONT would end or stop it."""

    def __init__(self, canary):
        self.child = subprocess.Popen(["/bin/sh", "-c", 'read line; exit 0', "decoy", canary],
                                      stdin=subprocess.PIPE, env={"CANARY": canary}, start_new_session=True)
        processes.own_children.add(self.child.pid)
        self.pid = self.child.pid

    def problem(self):
        if self.child.poll() is not None:
            return f"the decoy process ended: {self.child.returncode}"
        state = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        return f"the decoy process is in state {state}" if state in "Tt" else None

    def close(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.communicate()
        processes.own_children.discard(self.pid)


class TrapListener:
    """Sockets on loopback and in the file system; whoever calls gets a canary and is counted."""

    def __init__(self, directory, canary):
        self.canary = canary.encode() + b"\n"
        self.calls = []
        self.sockets = []
        self.port = self._listen(socket.AF_INET, ("127.0.0.1", 0), "tcp").getsockname()[1]
        if socket.has_ipv6:
            try:
                self._listen(socket.AF_INET6, ("::1", self.port), "tcp6")
            except OSError:
                pass  # a machine without IPv6
        self.path = f"{directory}/trap.sock"
        self._listen(socket.AF_UNIX, self.path, "path")
        os.chmod(self.path, 0o777)
        self.abstract = f"capsule-trap-{os.getpid()}"
        self._listen(socket.AF_UNIX, "\0" + self.abstract, "abstract")
        self.datagram_path = f"{directory}/trap.dgram"
        self._datagrams(socket.AF_INET, ("127.0.0.1", self.port), "udp")
        self._datagrams(socket.AF_UNIX, self.datagram_path, "datagram path")
        os.chmod(self.datagram_path, 0o777)
        self._datagrams(socket.AF_UNIX, "\0" + self.abstract, "abstract datagram")

    def _listen(self, family, address, what):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.bind(address)
        listener.listen(64)
        self.sockets.append(listener)
        threading.Thread(target=self._serve, args=(listener, what), daemon=True).start()
        return listener

    def _datagrams(self, family, address, what):
        bound = socket.socket(family, socket.SOCK_DGRAM)
        bound.bind(address)
        self.sockets.append(bound)
        threading.Thread(target=self._take, args=(bound, what), daemon=True).start()

    def _serve(self, listener, what):
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            self.calls.append(what)
            with peer:
                try:
                    peer.send(self.canary)
                except OSError:
                    pass

    def _take(self, bound, what):
        while True:
            try:
                if not bound.recv(100):
                    return
            except OSError:
                return
            self.calls.append(what)

    def close(self):
        for each in self.sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()


class WatchedTree:
    """A directory the manager's user may write, and places of the system, with a digest of both."""

    def __init__(self, directory, canary):
        self.directory = pathlib.Path(directory, "watched")
        (self.directory / "keys").mkdir(parents=True)
        (self.directory / "keys" / "id_ed25519").write_text(canary + "\n")
        (self.directory / "settings.toml").write_text(f"token = \"{canary}\"\n")
        (self.directory / "writable").write_text("as it was\n")
        os.chmod(self.directory / "writable", 0o666)
        os.chmod(self.directory, 0o777)
        self.secret = str(self.directory / "keys" / "id_ed25519")
        os.chmod(self.secret, 0o600)
        self.system = [os.path.expanduser(path) for path in SYSTEM_PATHS]

    def digest(self):
        lines = [self._line(path) for path in sorted(self.directory.rglob("*"))] + [self._line(self.directory)]
        lines += [self._metadata(path) for path in self.system]
        return lines

    def _line(self, path):
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        return f"{self._metadata(path)} {content}"

    @staticmethod
    def _metadata(path):
        try:
            found = os.lstat(path)
        except OSError as error:
            return f"{path} {error.errno}"
        # A directory of the system changes as others work in it; its own inode, owner and mode do not.
        shared = path in ("/dev/shm", "/root", "/home", "/opt", "/etc") or str(path).startswith(os.path.expanduser("~"))
        times = "" if shared and os.path.isdir(path) else f"{found.st_mtime_ns} {found.st_size}"
        if str(path).startswith("/proc/"):
            times = pathlib.Path(path).read_text()
        return f"{path} {found.st_ino} {found.st_mode:o} {found.st_uid} {times if path != '/dev/null' else ''}"
