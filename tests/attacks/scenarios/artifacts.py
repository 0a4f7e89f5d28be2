"""Attacks on whoever reads and writes files in a workspace: hostile things to collect, and races while they are collected."""
import os
import pathlib
import stat
import tempfile
import time

from scenarios import scenario

TOO_LARGE = 64 << 20  # no artifact of these programs is honest at this size

HOSTILE_FILES = r'''
import os, socket
os.chdir("/workspace")
open("honest.txt", "w").write("honest\n")
open("big", "wb").write(b"b" * (4 << 20))
for n in range(100):
    os.symlink("big", f"link{n}")
for n, target in enumerate(["%(secret)s", "/etc/passwd", "/proc/self/environ", "/proc/1/root", "..", "%(watched)s"]):
    os.symlink(target, f"out{n}")
    os.makedirs(f"d{n}", exist_ok=True)
    os.symlink(target, f"d{n}/deeper")
os.link("big", "hard")
os.mkfifo("fifo")
server = socket.socket(socket.AF_UNIX); server.bind("socket")
for name in (b"new\nline", b"\x1b]0;owned\x07", b"\xc3", b"a" * 255, b"-rf", b" ", b"quote\"'$(id)", b"\xed\xa0\x80"):
    open(name, "w").write("x")
for size in (1 << 50, 1 << 40):
    try:
        with open(f"sparse{size}", "wb") as file:
            file.truncate(size)
    except OSError:
        pass
os.makedirs("closed"); open("closed/file", "w").write("x"); os.chmod("closed", 0)
place = "deep"
for _ in range(300):
    os.mkdir(place); os.chdir(place); place = "d"
open("deepest", "w").write("x")
print("planted")
'''


@scenario("A13a", "artifacts that are no files, are not theirs, or have no end: sparse, links, FIFOs, sockets, names, depth")
def hostile_artifacts(arena):
    with tempfile.TemporaryDirectory(prefix="capsule-attack-") as place:
        code = HOSTILE_FILES % {"secret": arena.tree.secret, "watched": arena.tree.directory}
        started = time.monotonic()
        done = arena.manager.capsule("run", "--artifacts", place, "-c", code)
        took = time.monotonic() - started
        assert b"planted" in done.out, done
        assert took < 20, f"collecting took {took:.1f} s"
        check_collected(arena, place)
        assert (pathlib.Path(place) / "honest.txt").read_text() == "honest\n", sorted(os.listdir(place))
        assert b"\x1b" not in done.out + done.err, done


def check_collected(arena, place):
    """Regular files only, below `place`, none of them large, none with a secret."""
    canary = arena.canary.encode()
    for where, names, files in os.walk(os.fsencode(place)):
        for name in names + files:
            found = os.lstat(os.path.join(where, name))
            assert stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode), f"{name!r} has mode {found.st_mode:o}"
            assert found.st_size < TOO_LARGE, f"{name!r} has {found.st_size} bytes"
            if stat.S_ISREG(found.st_mode):
                with open(os.path.join(where, name), "rb") as file:
                    assert canary not in file.read(), f"a canary stands in {name!r}"


SWAPPER = r'''
import os, threading
os.makedirs("/workspace/d/e", exist_ok=True)
open("/workspace/honest", "w").write("honest")
open("/workspace/d/e/honest", "w").write("honest")
os.symlink("%(secret)s", "/workspace/evil")
os.symlink("%(watched)s/keys", "/workspace/evil-directory")
def swap():
    while True:
        for source in ("evil", "honest"):
            try:
                if source == "evil":
                    os.symlink("%(secret)s", "/workspace/t")
                else:
                    open("/workspace/t", "w").write("honest")
                os.rename("/workspace/t", "/workspace/target")
            except OSError:
                pass
        try:
            os.rename("/workspace/d/e", "/workspace/moved")
            os.symlink("%(watched)s/keys", "/workspace/d/e")
            os.unlink("/workspace/d/e")
            os.rename("/workspace/moved", "/workspace/d/e")
        except OSError:
            pass
threading.Thread(target=swap, daemon=True).start()
'''


@scenario("C08", "a file that turns into a link and back, a directory that moves away, while both are copied out and in")
def swapped_while_copied(arena):
    attempts = 20 if arena.short else 500
    name = f"swap-{time.monotonic_ns()}"
    assert arena.manager.capsule("session", "new", name).status == 0
    try:
        planted = arena.manager.capsule("exec", name, "-c", SWAPPER % {"secret": arena.tree.secret, "watched": arena.tree.directory})
        assert planted.status == 0, planted
        with tempfile.TemporaryDirectory(prefix="capsule-attack-") as place:
            source = pathlib.Path(place, "source")
            source.write_text("from outside\n")
            for number in range(attempts):
                for path in ("/workspace/target", "target", "d/e/honest", "d/e/id_ed25519"):
                    arena.manager.capsule("cp", f"{name}:{path}", f"{place}/out{number}")
                for path in ("target", "d/e/id_ed25519", "d/e/new"):
                    arena.manager.capsule("cp", str(source), f"{name}:{path}")
            check_collected(arena, place)
    finally:
        arena.manager.capsule("session", "rm", name)
