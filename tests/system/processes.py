"""What the kernel knows of processes, read from /proc. The test process adopts orphans, so that none can hide."""
import collections
import ctypes
import os
import pathlib
import re
import time

_PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

own_children = set()  # started by the tests, and waited for by whoever started them


def wait_for(condition, seconds=20.0, what="the condition"):
    """Polls; gives the first true value. Fails with the last value when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {seconds} s; last: {value!r}")
        time.sleep(0.02)


def _stat(pid):
    """(parent, state, name), or None when there is no such process."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    name, rest = text.rsplit(")", 1)
    fields = rest.split()
    return int(fields[1]), fields[0], name.split("(", 1)[1]


def is_alive(pid):
    found = _stat(pid)
    return found is not None and found[1] not in "ZX"


def descendants(pid):
    """{pid: "name (state)"} of all below `pid`."""
    facts = {int(p): _stat(p) for p in os.listdir("/proc") if p.isdigit()}
    children = {}
    for child, found in facts.items():
        if found:
            children.setdefault(found[0], []).append(child)
    below, todo = {}, list(children.get(pid, ()))
    while todo:
        child = todo.pop()
        below[child] = f"{facts[child][2]} ({facts[child][1]})"
        todo += children.get(child, ())
    return below


def groups_of(manager):
    """The directories of control groups that the manager with this pid made, in every hierarchy."""
    return [place for place, names, _ in os.walk("/sys/fs/cgroup")
            if os.path.basename(place).startswith((f"capsule-{manager}-", f"supervisor-{manager}-"))]


def fd_targets(pid):
    targets = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            targets.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except OSError:
            continue
    return sorted(targets)


def fd_kinds(pid):
    """How many descriptors there are of each kind, without the numbers of processes, groups and sockets. The store of
    records begins a new log now and then, and keeps a bounded number of them open: those are left out."""
    return collections.Counter(re.sub(r"\d+", "N", target) for target in fd_targets(pid) if "/records/log/" not in target)


def _strangers():
    """Descendants of the tests that no test started; adopted dead ones are reaped on the way."""
    found = {}
    for pid, what in descendants(os.getpid()).items():
        if pid in own_children:
            continue
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                continue
        except ChildProcessError:
            pass
        found[pid] = what
    return found


def assert_none_left(seconds=5.0):
    """Every process that was started on the manager's behalf is gone."""
    deadline = time.monotonic() + seconds
    while left := _strangers():
        if time.monotonic() > deadline:
            for pid in left:
                try:
                    os.kill(pid, 9)
                except OSError:
                    pass
            raise AssertionError(f"processes were left behind: {left}")
        time.sleep(0.02)
