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
    def counts(self):
        """Of the manager: processes below it, its descriptors, its mounts, the control groups it made."""
        pid = self.manager.pid
        mounts = pathlib.Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
        return {"processes": len(processes.descendants(pid)), "descriptors": processes.fd_count(pid),
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

    def test_sessions_leave_no_process_mount_group_or_descriptor(self):
        self.use_sessions()  # what is opened once is open now
        before = self.quiet_counts()
        parts = pathlib.Path(self.manager.directory, "state", "checkpoints", str(os.getuid()))
        for _ in range(ROUNDS):
            self.use_sessions()
            self.assertEqual(self.quiet_counts(), before)
            self.assertEqual(list(parts.iterdir()), [])

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
        copies = [self.client.new(checkpoint=session) for session in sessions]
        for session in sessions:
            self.client.session("checkpoint_rm", checkpoint=session)
        for session in sessions[1:] + copies[1:]:
            self.client.session("rm", session)
        for session in (sessions[0], copies[0]):  # while they work
            self.client.post_run(session, "import time; time.sleep(1000)")
            self.client.session("rm", session)


if __name__ == "__main__":
    unittest.main()
