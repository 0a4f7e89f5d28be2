"""Sessions that are no more: whoever comes too late hears why."""
import os
import signal

from branches import Refused
from test_fork import ForkCase


class GoneSessions(ForkCase):
    def test_a_fork_that_is_killed_before_it_is_awake_is_explained(self):
        source = self.new()
        self.client.run(source, "x = 1")
        for i in range(5):
            fork, = self.fork(source, session=f"killed-{i}")
            os.kill(self.sessions()[fork]["worker_pid"], signal.SIGKILL)
            try:
                outcome = self.client.run(fork, "1 + 1")
                # In time it had a snapshot, or was there anew; before that the session is lost, and says so.
                self.assertIn(outcome.verdict, ("ok", "worker_lost"), outcome)
                self.assertTrue(outcome.verdict == "ok" or "before it was ready" in outcome.evidence["detail"], outcome)
            except Refused as refused:
                self.assertIn("any more: the fork's worker", str(refused))
        self.assertEqual(self.value(source, "x"), "1")

    def test_who_asks_for_a_session_that_is_gone_hears_why(self):
        source = self.new()
        fork, = self.fork(source)
        self.client.session("rm", fork)
        with self.assertRaisesRegex(Refused, f"there is no session '{fork}' any more: the session was removed, \\d+ s ago"):
            self.client.run(fork, "1")
        fork, = self.fork(source)
        self.client.session("adopt", source, source=fork)
        with self.assertRaisesRegex(Refused, f"there is no session '{fork}' any more: .* adopted as '{source}'"):
            self.client.session("show", fork)
