"""The seven questions after each attack. Each oracle gives sentences about what it found wrong; none is good.

  R  nothing outside was read: no canary in anything that came back, in the log, in info, in the metrics, in traces,
     audit and decisions (the records of runs and saved namespaces are their owner's, and hold what he ran)
  W  nothing outside was written: digest of a watched tree, metadata of places of the system
  X  no action outside: the decoy process lives on, nobody called the trap listeners
  C  the manager and its zygotes are the same processes, and info answers within a second
  N  the neighbours' results are right, and neither of them was slowed beyond the factors below
  I  the verdict is the expected one and agrees with what the kernel says of the process
  L  two seconds after the stocks are full again nothing is left: processes (within two seconds of the run's end),
     mounts, descriptors of the manager, cgroups, temporary files, IPC
"""
import os
import pathlib
import re
import statistics
import time

import processes

ANSWER_S = 1.0
LEFT_S = 2.0
LOOKS = 10
SETTLED_S = 30.0  # until the stocks are full again
OWNERS = ("records", "checkpoints")  # below the state directory, also as records-2
# The tests share two processors with the attack, the neighbours and the manager: the median cell of a neighbour may
# take this many times as long as in the quiet phase before it is called slowed. A quiet cell takes two milliseconds or
# three, and one turn of the scheduler four: less than that is no yardstick.
SLOWED_FACTOR = 8.0
QUIET_FLOOR_S = 0.01
STALLED_S = 5.0  # and no single cell longer than this

OWN_GROUP = re.compile(r"/(capsule-\d+)/")

# Exit status by verdict, as the protocol fixes it; those with a choice are left to the verdict's evidence.
EXIT_STATUS = {"ok": 0, "exception": 1, "cancelled": 130, "timeout": 124, "cpu_limit": 152, "out_of_memory": 137,
               "output_limit": 153, "violation": 159, "worker_lost": 137, "rejected": 125, "aborted": 125}


class Oracles:
    def __init__(self, arena):
        self.arena = arena
        self.log_place = 0
        self.slowest = 0.0  # factor, over all attacks
        self.times, self.last_times = [], []  # of the neighbours' cells beside all attacks, beside the last one
        self.tree = arena.tree.digest()
        self.zygotes = arena.zygotes()
        self.calls = 0
        self.searched = {}  # how far, by path
        self.left = self._left_over()
        self.fds = min(self._manager_fds() for _ in range(100))  # a second: neighbours pause seldom
        self.targets = self._targets()
        self.started = time.monotonic()

    def begin(self):
        self.started = time.monotonic()

    def check(self, outcomes):
        """[(letter, sentence)] of everything that went wrong since begin()."""
        found = []
        for letter, oracle in (("L", self._l), ("C", self._c), ("N", self._n), ("X", self._x), ("W", self._w)):
            found += [(letter, problem) for problem in oracle()]
        return found + [("R", problem) for problem in self._r(outcomes)]

    def _r(self, outcomes):
        canary = self.arena.canary.encode()
        log = self.arena.manager.log_file.read_bytes()
        places = {"the log": log[max(0, self.log_place - len(canary)):], "info": repr(self.arena.info()).encode(),
                  "the metrics": self.arena.metrics()}
        places |= {"what came back": each.every_byte() for each in outcomes}
        self.log_place = len(log)
        places |= self._new_in_state(len(canary))
        return [f"a canary stands in {place}" for place, text in places.items() if canary in text]

    def _new_in_state(self, overlap):
        """{path: what stands in it since the last look} below the state directory."""
        state, found = pathlib.Path(self.arena.manager.directory, "state"), {}
        # Records come and go while this looks, so their directories are not even entered.
        tops = [path for path in state.iterdir() if path.name.split("-")[0] not in OWNERS]
        for path in [each for top in tops for each in (top, *top.rglob("*"))]:
            if not path.is_file():
                continue
            try:
                with open(path, "rb") as file:
                    file.seek(max(0, self.searched.get(path, 0) - overlap))
                    found[str(path.relative_to(state))] = file.read()
                    self.searched[path] = file.tell()
            except FileNotFoundError:
                pass  # an old one of several
        return found

    def _w(self):
        now = self.arena.tree.digest()
        changed = sorted(set(self.tree) ^ set(now))
        self.tree = now
        return [f"changed outside: {changed[:4]}"] if changed else []

    def _x(self):
        problem = self.arena.decoy.problem()
        calls = self.arena.trap.calls
        new, self.calls = calls[self.calls:], len(calls)
        return ([problem] if problem else []) + ([f"the trap listeners were called: {new[:5]}"] if new else [])

    def _c(self):
        manager = self.arena.manager
        if manager.process.poll() is not None:
            return [f"the manager ended: {manager.process.returncode}"]
        started = time.monotonic()
        zygotes = self.arena.zygotes()
        took = time.monotonic() - started
        changed = {name for name in zygotes if zygotes[name] != self.zygotes.get(name)}
        started_later = {name for name in changed if not self.zygotes.get(name)}
        self.zygotes = zygotes
        return ([f"zygotes were replaced: {sorted(changed - started_later)}"] if changed - started_later else []) + (
            [f"info took {took:.1f} s"] if took > ANSWER_S else [])

    def _n(self):
        neighbours = self.arena.neighbours
        answered = neighbours.wait_for_cells()
        if problems := neighbours.problems():
            return [problem[:300] for problem in problems]
        if not answered:
            return ["a neighbour's cell did not end within 10 s"]
        times = neighbours.times_since(self.started)
        typical, worst = max(map(statistics.median, times)), max(map(max, times))
        self.slowest = max(self.slowest, typical / neighbours.quiet_s)
        self.last_times = [took for each in times for took in each]
        self.times += self.last_times
        if typical > SLOWED_FACTOR * max(neighbours.quiet_s, QUIET_FLOOR_S):
            return [f"a neighbour took {typical:.3f} s a cell, {neighbours.quiet_s:.3f} s when it is quiet"]
        return [f"a neighbour's cell took {worst:.1f} s"] if worst > STALLED_S else []

    def _l(self):
        """Processes within LEFT_S of the run's end; each kind as soon after the stocks are full, as they hold some too."""
        started, full = time.monotonic(), None
        left = {*self.left, "descriptors"}  # not yet seen as it was
        while True:
            if self.arena.is_settled():
                full = full or time.monotonic()
                now = self._left_over()
                left -= {name for name, before in self.left.items() if now[name] == before}
                if self._manager_fds() <= self.fds:
                    left.discard("descriptors")
                if not left:
                    return []
            if time.monotonic() - started > LEFT_S and (extra := self._too_many_processes()):
                return [extra]
            if full and time.monotonic() - full > LEFT_S:
                return self._describe(left)
            if time.monotonic() - started > SETTLED_S:
                return ["the pool does not settle"]
            time.sleep(0.01)

    def _describe(self, kinds):
        """What is wrong with each; from here on it is what there was before."""
        now, fds = self._left_over(), self._manager_fds()
        problems = [f"{name}: {now[name]}, before: {self.left[name]}" for name in kinds & set(now)]
        if "descriptors" in kinds and (new := self._new_descriptors()):
            problems.append(f"the manager has {fds} descriptors, {self.fds} before; new: {new}")
        self.left = now
        if "descriptors" in kinds:  # else those of a neighbour's cell might be taken for what was there before
            self.fds = max(fds, self.fds)
        return problems

    def _too_many_processes(self):
        now = processes.descendants(self.arena.manager.pid)
        most = self.left["processes"]
        # A stock that is being refilled never holds more than a full one.
        return f"{len(now)} processes below the manager, {most} before: {now}" if len(now) > most else None

    def _left_over(self):
        arena = self.arena
        return {
            "processes": len(processes.descendants(arena.manager.pid)),
            "mounts": len(pathlib.Path(f"/proc/{arena.manager.pid}/mountinfo").read_text().splitlines()),
            "temporary files": sum(1 for _ in arena.manager.temporary.rglob("*")),
            # By the names that the programs use: others work on this machine too.
            "shared memory": sorted(name for name in os.listdir("/dev/shm") if name.startswith("capsule-attack")),
            "SysV IPC": sum(pathlib.Path(f"/proc/sysvipc/{kind}").read_text().count(str(0x5EED))
                            for kind in ("shm", "sem", "msg")),
            "cgroups": self._cgroups(),
        }

    def _cgroups(self):
        """Groups below this manager's own one, which the group of any of its capsules shows."""
        worker = self.arena.info("workers")["workers"][0]["pid"]
        own = OWN_GROUP.search(pathlib.Path(f"/proc/{worker}/cgroup").read_text())
        if not own:
            return 0
        return sum(own[1] in place.split("/") for place, _, _ in os.walk("/sys/fs/cgroup"))

    def _targets(self):
        return processes.fd_kinds(self.arena.manager.pid)

    def _new_descriptors(self):
        """What there is more of in each of several looks: a neighbour's cell and a record that is written come and go."""
        new = self._targets() - self.targets
        for _ in range(LOOKS):
            time.sleep(0.02)
            new &= self._targets() - self.targets
        return new

    def _manager_fds(self):
        # Each cell of a neighbour has pipes: the least of several looks is what stays.
        looks = []
        for _ in range(3):
            looks.append(self._targets().total())
            time.sleep(0.003)
        return min(looks)


def judge(case, outcome):
    """Oracle I for a program: the expected verdict, agreement with the kernel, and an attack that did happen."""
    problems = []
    if outcome.verdict not in case.verdicts:
        problems.append(f"the verdict is {outcome.verdict}, expected {' or '.join(case.verdicts)}")
    status = outcome.finished.get("exit_status", 0)
    if EXIT_STATUS.get(outcome.verdict, status) != status:
        problems.append(f"verdict {outcome.verdict} with exit status {status}")
    if outcome.verdict == "crashed" and status != 128 + outcome.evidence.get("signal", 0):
        problems.append(f"crashed by signal {outcome.evidence.get('signal')} with exit status {status}")
    if "signal" in case.keys and outcome.evidence.get("signal", 0) != int(case.keys["signal"]):
        problems.append(f"signal {outcome.evidence.get('signal', 0)}, expected {case.keys['signal']}")
    if not outcome.words("TRIED"):
        problems.append("nothing was tried")
    problems += [f"went through: {what}" for what in outcome.words("GOT")[:5]]
    stopped = outcome.words("STOPPED")
    if case.stopped and not stopped:
        problems.append("nothing was refused")
    if case.stopped and set(stopped) - set(case.stopped):
        problems.append(f"stopped by {sorted(set(stopped) - set(case.stopped))}, expected {' or '.join(case.stopped)}")
    return [("I", problem) for problem in problems]
