# Stands in front of every attacking program. What it prints is what the runner counts:
#   TRIED what        the act was attempted
#   STOPPED errno     it was refused, with this error
#   GOT what          it went through: a breach
import ctypes
import errno
import json
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def say(word, what=""):
    # Past sys.stdout: programs replace and close that.
    os.write(1, f"{word} {what}".encode("utf-8", "replace").replace(b"\n", b" ") + b"\n")


def tried(what=""):
    say("TRIED", what)


def got(what):
    say("GOT", what)


def stopped(error):
    number = getattr(error, "errno", None)
    say("STOPPED", errno.errorcode.get(number, str(number)) if number else type(error).__name__)


def refused(what, act, *args, **named):
    """The act has to fail with an OSError."""
    tried(what)
    try:
        value = act(*args, **named)
    except OSError as error:
        stopped(error)
        return None
    got(f"{what}: {value!r:.60}")
    return value


def call(number, *args):
    """A raw system call: integers, bytes, None; OSError when it fails."""
    ctypes.set_errno(0)
    passed = [a if a is None or isinstance(a, (bytes, ctypes.Array, ctypes._Pointer)) else ctypes.c_long(a) for a in args]
    value = libc.syscall(ctypes.c_long(number), *passed)
    if value == -1 and ctypes.get_errno():
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return value


def libc_call(name, *args):
    ctypes.set_errno(0)
    value = getattr(libc, name)(*args)
    if value == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return value


def in_child(act, *args):
    """Runs it in a forked child; the wait status."""
    pid = os.fork()
    if pid == 0:
        try:
            act(*args)
            os._exit(0)
        except BaseException as error:
            say("CHILD", repr(error))
            os._exit(99)
    return os.waitpid(pid, 0)[1]
