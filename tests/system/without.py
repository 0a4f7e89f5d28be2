"""Takes a layer of the sandbox away, then becomes another program: `without.py WHAT[,WHAT…] -- PROGRAM ARGUMENTS…`.

WHAT: landlock, seccomp, mount, clone3, userns. The kernel then answers as one that lacks it, or that refuses it as
containers do; userns needs a user namespace of ours in which none can be made.
"""
import ctypes
import errno
import os
import struct
import sys

NUMBERS = {  # x86_64
    "landlock": (444, 445, 446), "seccomp": (317,), "mount": (155, 165, 166, 442), "clone3": (435,),
}
ERRORS = {"landlock": errno.ENOSYS, "seccomp": errno.ENOSYS, "mount": errno.EPERM, "clone3": errno.ENOSYS}

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


def leave_user_namespaces_behind():
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x10000000) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")


def main():
    split = sys.argv.index("--")
    names = sys.argv[1].split(",")
    if "userns" in names:
        leave_user_namespaces_behind()
        names.remove("userns")
    if names:
        install_filter(names)
    os.execv(sys.argv[split + 1], sys.argv[split + 1:])


if __name__ == "__main__":
    main()
