"""A state directory that somebody else has made first (row J08)."""
import os
import pathlib
import subprocess
import tempfile

import support
from processes import wait_for
from scenarios import scenario
from scenarios.hostile_clients import run_works

NOBODY = 65534
DIRECTORIES = ("records", "checkpoints", "audit", "traces", "scratch", "http-keys.json")
# Makes the state directory first, as a link or as its own, with links in it, each to a place of his.
FIRST = """
import os, sys
place, loot, kind = sys.argv[1:]
if kind == "link":
    os.symlink(loot, place)
else:
    os.mkdir(place); os.chmod(place, 0o777)
    for name in %r:
        os.symlink(loot, f"{place}/{name}")
""" % (DIRECTORIES,)


def start_in(place, socket):
    """The end of a manager whose state directory this is; one that serves is ended."""
    child = support.start([support.MANAGER, "--state-dir", place, "--socket", socket], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_for(lambda: child.poll() is not None or os.path.exists(socket), 30, "a manager")
        if child.poll() is None:
            subprocess.run([support.CAPSULE, "run", "-c", "print('x')"], env={**os.environ, "CAPSULE_SOCKET": socket},
                           stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
            child.terminate()
    finally:
        done = support.finish(child)
    return done


def tree_of(place):
    return sorted((str(path), os.lstat(path).st_mode, os.lstat(path).st_size) for path in [place, *place.rglob("*")])


@scenario("J08", "the state directory made by another user first: as a link, and as a directory full of links")
def foreign_state_directory(arena):
    with tempfile.TemporaryDirectory(prefix="capsule-attack-") as top:
        os.chmod(top, 0o1777)
        loot = pathlib.Path(top, "loot")
        loot.mkdir()
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
        if user:
            os.chown(loot, NOBODY, NOBODY)
        for kind in ("link", "directory"):
            place = pathlib.Path(top, kind)
            subprocess.run(["/usr/bin/python3", "-c", FIRST, str(place), str(loot), kind], check=True, cwd="/", **user)
            if not user and kind == "link":
                continue  # one's own link to one's own directory is good
            before = tree_of(loot)
            done = start_in(place, f"{top}/socket-{kind}")
            assert done.status not in (0, None), f"a manager started in a state directory of others: {done}"
            assert b"the state directory cannot be used" in done.err, done
            assert tree_of(loot) == before, f"written where a link leads: {tree_of(loot)}"
    return [run_works(arena)]
