"""Takes a layer of the sandbox away, then becomes another program: `without.py WHAT[,WHAT…] -- PROGRAM ARGUMENTS…`.

WHAT: landlock, seccomp, mount, clone3, shmget, connect, chroot, userns, mntns, netns. The kernel then answers as one
that lacks it, or that refuses it as containers do; the last three need a user namespace of ours in which none of that
kind can be made.
"""
import ctypes
import errno
import os
import struct
import sys

NUMBERS = {  # x86_64
    "landlock": (444, 445, 446), "seccomp": (317,), "mount": (155, 165, 166, 442), "clone3": (435,),
    "shmget": (29,), "connect": (42,), "chroot": (161,),
}
ERRORS = {"landlock": errno.ENOSYS, "seccomp": errno.ENOSYS, "mount": errno.EPERM, "clone3": errno.ENOSYS,
          "shmget": errno.ENOSYS, "connect": errno.EPERM, "chroot": errno.EPERM}

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _FILTER_MODE = 22, 38, 2
_LOAD_NUMBER, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


def install_filter(names):
    program = [(_LOAD_NUMBER, 0, 0, 0)]
    for name in names:
        for number in NUMBERS[name]:
            program += [(_JUMP_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | ERRORS[name])]
    program.append((_RETURN, 0, 0, _ALLOW))
    code = b"".join(struct.pack("HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (_PR_SET_SECCOMP, _FILTER_MODE, header, 0, 0)):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


KINDS = {"userns": "max_user_namespaces", "mntns": "max_mnt_namespaces", "netns": "max_net_namespaces"}


def leave_namespaces_behind(kinds):
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x10000000) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    for kind in kinds:
        with open(f"/proc/sys/user/{KINDS[kind]}", "w") as file:
            file.write("0")


def main():
    split = sys.argv.index("--")
    names = sys.argv[1].split(",")
    if kinds := [name for name in names if name in KINDS]:
        leave_namespaces_behind(kinds)
    if names := [name for name in names if name not in KINDS]:
        install_filter(names)
    os.execv(sys.argv[split + 1], sys.argv[split + 1:])


if __name__ == "__main__":
    main()
