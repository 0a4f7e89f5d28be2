"""After sessions with snapshots, checkpoints and rollbacks are closed, nothing of them is left."""
import os
import pathlib
import time
import unittest

import processes
from processes import wait_for
from test_rollback import RollbackCase

ROUNDS, SESSIONS, FILE_BYTES = 3, 4, 16 << 20
QUIET_S = 0.5


class Leaks(RollbackCase):
    maxDiff = None

    def counts(self):
        """Of the manager: processes below it, its descriptors, its mounts, the control groups it made."""
        pid = self.manager.pid
        mounts = pathlib.Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
        return {"processes": len(processes.descendants(pid)), "descriptors": processes.fd_kinds(pid),
                "mounts": len(mounts), "groups": len(processes.groups_of(pid))}

    def settled_counts(self):
        self.manager.wait_settled()
        return self.counts()

    def quiet_counts(self):
        """The counts once they stay: what a closed connection or an ended process held may go a moment later."""

        def unchanged():
            first = self.settled_counts()
            time.sleep(QUIET_S)
            return first if self.settled_counts() == first else None

        return wait_for(unchanged, 60, "counts that stay")

    def assert_nothing_is_left(self, before):
        """What leaks stays; what the look itself opened, a connection that was just closed, goes."""
        now = None

        def not_grown():
            nonlocal now
            now = self.settled_counts()
            return all(now[kind] <= before[kind] for kind in before)

        try:
            wait_for(not_grown, 20, "no more than before")
        except AssertionError:
            self.assertEqual(now, before)
            raise

    @staticmethod
    def shared_memory_bytes():
        """All that is in any tmpfs of this machine, mounted where we can see it or not (proc(5), Shmem)."""
        line = next(line for line in pathlib.Path("/proc/meminfo").read_text().splitlines() if line.startswith("Shmem:"))
        return int(line.split()[1]) * 1024

    def test_sessions_leave_no_process_mount_group_descriptor_or_file_in_memory(self):
        self.use_sessions()  # what is opened once is open now
        before = self.quiet_counts()
        memory = self.shared_memory_bytes()
        parts = pathlib.Path(self.manager.directory, "state", "checkpoints", str(os.getuid()))
        for _ in range(ROUNDS):
            self.use_sessions()
            self.assert_nothing_is_left(before)
            self.assertEqual(list(parts.iterdir()), [])
            # Each session, fork and copy has a file of FILE_BYTES in a file system of its own.
            wait_for(lambda: self.shared_memory_bytes() < memory + FILE_BYTES, 60, "the memory of their files is free")

    def use_sessions(self):
        sessions = [self.client.new(rollback="always") for _ in range(SESSIONS)]
        for number, session in enumerate(sessions):
            self.client.run(session, f"import os; x = {number}; open('big', 'wb').write(bytes({FILE_BYTES})); y = 1")
            self.client.session("checkpoint", session, checkpoint="live")
            self.client.session("checkpoint", session, checkpoint=session, durable=True)
            self.client.run(session, "x = -1")
            crash = self.client.run(session, "import subprocess; subprocess.Popen(['/bin/sleep', '1000']); os.abort()")
            self.assertEqual(crash.state, "rolled_back", crash)
            self.client.session("undo", session)
            self.client.session("restore", session, checkpoint="live")
            self.assertEqual(self.value(session, "x"), str(number))
        sessions += self.use_forks(sessions[0])
        copies = [self.client.new(checkpoint=session) for session in sessions[:SESSIONS]]
        for session in sessions[:SESSIONS]:
            self.client.session("checkpoint_rm", checkpoint=session)
        for session in sessions[1:] + copies[1:]:
            self.client.session("rm", session)
        for session in (sessions[0], copies[0]):  # while they work
            self.client.post_run(session, "import time; time.sleep(1000)")
            self.client.session("rm", session)

    def use_forks(self, source):
        """Forks of a session, one of a fork, one that takes its original's place: those that are left."""
        one, two, best = self.client.session("fork", source=source, count=3)["forks"]
        below, = self.client.session("fork", source=one)["forks"]
        for fork in (two, below):
            self.client.run(fork, f"import os; open('more', 'wb').write(bytes({FILE_BYTES})); os.abort()")
        self.client.session("adopt", source, source=best)
        self.client.session("rm", one)  # whose fork lives on
        self.assertEqual([self.value(session, "x") for session in (source, two, below)], ["0"] * 3)
        return [two, below]


if __name__ == "__main__":
    unittest.main()
