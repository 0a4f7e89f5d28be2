"""Parked copies are out of their program's reach, and nobody but them gets what they need to be so."""
import os
import pathlib

import processes
from branches import Refused
from processes import wait_for
from test_rollback import RollbackCase

# Prints what each call gave: 1 is EPERM. 56 clone, 157 prctl, 308 setns. The kernel itself would say EINVAL of its own
# user namespace.
MAY_COPY = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
CLONE_PARENT, PR_SET_DUMPABLE = 0x8000, 4
def errno_of(*call):
    ctypes.set_errno(0)
    made = libc.syscall(*call)
    if made == 0 and call[0] == 56: libc._exit(0)
    return made and ctypes.get_errno()
print(errno_of(56, CLONE_PARENT, 0, 0, 0, 0), errno_of(157, PR_SET_DUMPABLE, 0),
      *(errno_of(308, os.open('/proc/self/ns/user', os.O_RDONLY), kind) for kind in (0, 0x10000000)))
"""

# Into the namespaces of every process that is to be seen and not in the caller's own: prints the kinds that were there,
# and what was entered.
ENTER = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
KINDS = {'user': 0x10000000, 'pid': 0x20000000, 'mnt': 0x20000, 'net': 0x40000000, 'ipc': 0x8000000, 'uts': 0x4000000}
there, entered = set(), []
for pid in filter(str.isdigit, os.listdir('/proc')):
    for name, kind in KINDS.items():
        path = f'/proc/{pid}/ns/{name}'
        try:
            if os.readlink(path) == os.readlink(f'/proc/self/ns/{name}'): continue
            fd = os.open(path, os.O_RDONLY)
        except OSError:
            continue
        there.add(name)
        entered += [(pid, name, used) for used in (kind, 0) if libc.syscall(308, fd, used) == 0]
        os.close(fd)
print(sorted(there), entered)
"""

# Everything that names a process, against the numbers in PIDS; what succeeds is printed.
REACH = """
import ctypes, fcntl, os, resource, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
through, tried = [], 0
def call(name, *arguments):
    global tried
    tried += 1
    ctypes.set_errno(0)
    if libc.syscall(*(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)) >= 0: through.append(name)
def do(name, act):
    global tried
    tried += 1
    try: act()
    except (OSError, ProcessLookupError, PermissionError, ValueError): return
    through.append(name)
buffer = ctypes.create_string_buffer(4096)
def iov(): return ctypes.create_string_buffer(struct.pack('QQ', ctypes.addressof(buffer), 64))
for pid in PIDS:
    for number in (0, 9, 19):
        call(f'kill {number}', 62, pid, number)
        call(f'kill group {number}', 62, -pid, number)
        call(f'tkill {number}', 200, pid, number)
        call(f'tgkill {number}', 234, pid, pid, number)
        call(f'rt_sigqueueinfo {number}', 129, pid, number, buffer)
        call(f'rt_tgsigqueueinfo {number}', 297, pid, pid, number, buffer)
    try: fd = os.pidfd_open(pid)
    except OSError: fd = -1
    if fd >= 0:
        call('pidfd_send_signal', 424, fd, 9, 0, 0)
        call('pidfd_getfd', 438, fd, 3, 0)
        call('process_madvise', 440, fd, iov(), 1, 21, 0)
        call('process_mrelease', 448, fd, 0)
        call('setns', 308, fd, 0x20000)
    call('prlimit', 302, pid, 0, ctypes.create_string_buffer(16), 0)
    call('PTRACE_ATTACH', 101, 16, pid, 0, 0)
    call('PTRACE_SEIZE', 101, 0x4206, pid, 0, 0)
    call('process_vm_readv', 310, pid, iov(), 1, iov(), 1, 0)
    call('process_vm_writev', 311, pid, iov(), 1, iov(), 1, 0)
    call('setpriority', 141, 0, pid, 19)
    call('setpriority group', 141, 1, pid, 19)
    call('sched_setaffinity', 203, pid, 8, ctypes.create_string_buffer(b'\\1' + bytes(7)))
    call('sched_setscheduler', 144, pid, 5, ctypes.create_string_buffer(8))
    call('sched_setparam', 142, pid, ctypes.create_string_buffer(8))
    call('sched_setattr', 314, pid, ctypes.create_string_buffer(struct.pack('II', 48, 5) + bytes(40)), 0)
    call('ioprio_set', 251, 1, pid, 3 << 13)
    call('migrate_pages', 256, pid, 64, buffer, buffer)
    call('move_pages', 279, pid, 0, 0, 0, 0, 0)
    call('kcmp', 312, pid, os.getpid(), 0, 0, 0)
    call('get_robust_list', 274, pid, buffer, buffer)
    call('setpgid', 109, pid, pid)
    call('perf_event_open', 298, buffer, pid, -1, -1, 0)
    left, right = socket.socketpair()
    do('F_SETOWN', lambda: fcntl.fcntl(left, 8, pid))
    do('F_SETOWN_EX', lambda: fcntl.fcntl(left, 15, struct.pack('ii', 1, pid)))
    do('FIOSETOWN', lambda: fcntl.ioctl(left, 0x8901, struct.pack('i', pid)))
    do('SIOCSPGRP', lambda: fcntl.ioctl(left, 0x8902, struct.pack('i', pid)))
    do('waitpid', lambda: os.waitpid(pid, os.WNOHANG))
    do('waitid', lambda: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG))
    for name in ('mem', 'oom_score_adj', 'clear_refs', 'comm', 'timerslack_ns', 'coredump_filter'):
        do(f'write {name}', lambda: open(f'/proc/{pid}/{name}', 'r+b', 0))
    for name in ('mem', 'environ', 'maps', 'auxv', 'syscall', 'stack'):
        do(f'read {name}', lambda: open(f'/proc/{pid}/{name}', 'rb', 0).read(1))
    for name in ('fd', 'fdinfo', 'map_files', 'task', 'root', 'cwd', 'ns'):
        do(f'list {name}', lambda: os.listdir(f'/proc/{pid}/{name}'))
    do('readlink exe', lambda: os.readlink(f'/proc/{pid}/exe'))
do('kill(-1)', lambda: os.kill(-1, 9))
print(sorted(set(through)), tried > 60 * len(PIDS) > 0)
"""


def stat_of(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


class Parked(RollbackCase):
    def parked(self, session):
        """{pid on this machine: pid in its capsule} of a session's parked copies."""
        keeper = int(stat_of(self.client.info(session)["worker_pid"])[1])
        found = {}
        for pid, what in processes.descendants(keeper).items():
            if what.startswith("snapshot-"):
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                found[pid] = int(status.split("NSpid:", 1)[1].splitlines()[0].split()[-1])
        return found

    @staticmethod
    def settings_of(pid):
        """What another process could have changed: priority, policy, processors, limits, oom score."""
        fields = stat_of(pid)
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        score = pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text()
        return fields[16], fields[38], os.sched_getaffinity(pid), limits, score


class OutOfReach(Parked):
    def test_a_program_reaches_no_snapshot_by_any_means_that_names_a_pid(self):
        session = self.new()
        self.client.run(session, "x = 1")
        self.client.session("checkpoint", session, checkpoint="kept")
        self.client.run(session, "y = 1")
        self.client.run(session, "z = 1")
        for _ in range(3):
            parked = self.parked(session)
            self.assertGreaterEqual(len(parked), 2)
            before = {pid: self.settings_of(pid) for pid in parked}
            outcome = self.client.run(session, f"PIDS = {list(parked.values())}\n{REACH}", rollback="off")
            self.assertEqual((outcome.verdict, outcome.stdout), ("ok", "[] True\n"), outcome)
            self.assertEqual({pid: self.settings_of(pid) for pid in parked}, before)
            for score in (settings[-1] for settings in before.values()):
                self.assertEqual(score, "0\n")
        seen = self.client.run(session, "import os; print([p for p in os.listdir('/proc') if p.isdigit()] == [str(os.getpid())])")
        self.assertEqual(seen.stdout, "True\n")
        self.client.session("restore", session, checkpoint="kept")
        self.assertEqual(self.value(session, "x"), "1")

    def test_what_was_parked_has_a_workers_oom_score_when_it_is_the_worker(self):
        session = self.new("off")
        self.client.run(session, "x = 1")
        self.client.session("checkpoint", session, checkpoint="kept")
        for _ in range(2):
            self.client.session("restore", session, checkpoint="kept")
            self.assertEqual(self.value(session, "open('/proc/self/oom_score_adj').read()"), "'500\\n'")


class NobodyElse(Parked):
    """What a copy may do: be made, hide itself, enter a capsule inside."""

    def assert_may_nothing(self, session):
        self.assertEqual(self.client.run(session, MAY_COPY, rollback="off").stdout, "1 1 1 1\n")

    def test_a_session_that_was_never_copied(self):
        self.assert_may_nothing(self.new("off"))

    def test_after_a_snapshot(self):
        session = self.new("off")
        self.client.run(session, "x = 1")
        for name in ("a", "b"):
            self.client.session("checkpoint", session, checkpoint=name)
            self.assert_may_nothing(session)
        self.client.session("restore", session, checkpoint="a")
        self.assert_may_nothing(session)

    def test_after_a_snapshot_that_was_refused(self):
        session = self.new("off")
        self.client.run(session, "import threading\nstop = threading.Event()\n"
                                 "t = threading.Thread(target=stop.wait, daemon=True); t.start()")
        with self.assertRaisesRegex(Refused, "threads"):
            self.client.session("checkpoint", session, checkpoint="a")
        self.assert_may_nothing(session)

    def test_after_a_fork_and_in_it(self):
        source = self.new("off")
        self.client.run(source, "x = 1")
        fork, = self.client.session("fork", source=source)["forks"]
        self.addCleanup(self.client.session, "rm", fork)
        self.assert_may_nothing(source)
        self.assert_may_nothing(fork)

    def test_an_original_does_not_enter_the_namespaces_of_its_forks(self):
        source = self.new("off")
        self.client.run(source, "x = 1")
        fork, = self.client.session("fork", source=source)["forks"]
        self.addCleanup(self.client.session, "rm", fork)
        self.assertEqual(self.value(fork, "x"), "1")
        seen = self.client.run(source, ENTER, rollback="off").stdout
        self.assertEqual(seen, "['ipc', 'mnt', 'net', 'pid', 'user', 'uts'] []\n")

    def test_after_a_fork_that_was_refused(self):
        source = self.new("off")
        self.client.run(source, "import threading\nstop = threading.Event()\n"
                                "t = threading.Thread(target=stop.wait, daemon=True); t.start()")
        with self.assertRaisesRegex(Refused, "threads"):
            self.client.session("fork", source=source)
        self.assert_may_nothing(source)

    def test_while_copies_are_made_no_other_process_takes_their_place(self):
        session = self.new("off")
        # Orphans, children of the keeper as copies are, that ask to hide and to enter a namespace all the time.
        self.client.run(session, """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for number in range(6):
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
            fd = os.open('/proc/self/ns/user', os.O_RDONLY)
            while True:
                if libc.syscall(157, 4, 0) == 0: open(f'hidden-{number}', 'w').close()
                ctypes.set_errno(0)  # what the kernel itself says of its own one is EINVAL
                if libc.syscall(308, fd, 0x10000000) == 0 or ctypes.get_errno() == 22: open(f'entered-{number}', 'w').close()
        os._exit(0)
    os.wait()
""")
        for turn in range(20):
            self.client.session("checkpoint", session, checkpoint="kept")
            wait_for(lambda: len(self.parked(session)) == 1, what="the end of the one before")
            parked = self.parked(session)
            score = pathlib.Path(f"/proc/{next(iter(parked))}/oom_score_adj").read_text()
            self.assertEqual(score, "0\n", f"turn {turn}")
            seen = self.value(session, f"[p for p in {list(parked.values())} if os.path.exists(f'/proc/{{p}}/mem')]")
            self.assertEqual(seen, "[]", f"turn {turn}: the snapshot is to be seen")
            self.client.session("checkpoint_rm", session, checkpoint="kept")
        for _ in range(3):
            fork, = self.client.session("fork", source=session)["forks"]
            self.client.session("rm", fork)
        self.assertEqual(self.value(session, "sorted(n for n in os.listdir('.') if n.startswith(('hidden', 'entered')))"), "[]")
        running = self.value(session, "len([p for p in os.listdir('/proc') if p.isdigit()]) >= 7")
        self.assertEqual(running, "True", "the orphans were there all the time")
