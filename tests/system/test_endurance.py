"""Many runs in a row, and many while processes die under them. Nothing is lost, nothing is wrong, nothing is left.

The default is a short form. CAPSULE_ENDURANCE_RUNS=1000 CAPSULE_ENDURANCE_KILLS=200 is the long one.
"""
import os
import random
import signal
import unittest

from processes import wait_for
from support import SMALL, ManagerCase

RUNS = int(os.environ.get("CAPSULE_ENDURANCE_RUNS", "100"))
KILLS = int(os.environ.get("CAPSULE_ENDURANCE_KILLS", "20"))


class EnduranceTest(ManagerCase):
    config = SMALL

    def test_many_runs_in_a_row(self):
        with self.manager.raw(timeout=60) as client:
            client.hello()
            for number in range(RUNS):
                run_id = client.execute(f"print({number})\n{number} + 1")
                messages = client.messages_until_finished()
                self.assertTrue(all(m["run_id"] == run_id for m in messages), messages)
                output = b"".join(m["data"] for m in messages if m["type"] == "output")
                results = [m["data"]["text/plain"] for m in messages if m["type"] == "result"]
                self.assertEqual((messages[-1]["verdict"], output, results),
                                 ("ok", b"%d\n" % number, [b"%d" % (number + 1)]), messages)

    def test_runs_whose_worker_is_killed_crash_and_no_others(self):
        seed = int.from_bytes(os.urandom(4), "big")
        numbers = random.Random(seed)
        verdicts = {}
        with self.subTest(seed=seed), self.manager.raw(timeout=60) as client:
            client.hello()
            for _ in range(KILLS):
                victim = numbers.choice(("worker", "zygote", "nobody"))
                verdict, signal_number = self.one_round(client, victim)
                expected = ("crashed", signal.SIGKILL) if victim == "worker" else ("ok", 0)
                self.assertEqual((verdict, signal_number), expected, victim)
                verdicts[verdict] = verdicts.get(verdict, 0) + 1
        self.assertEqual(sum(verdicts.values()), KILLS)
        self.manager.wait_settled()
        self.assert_next_run_works()

    def one_round(self, client, victim):
        """A run that waits for input; something is killed meanwhile; how it ended."""
        run_id = client.execute("print('up', flush=True)\nprint(input())", standard_input=True)
        self.assertIsInstance(run_id, str)
        client.receive_of("output")
        if victim == "worker":
            os.kill(self.manager.find_run(run_id)["worker_pid"], signal.SIGKILL)
        else:
            if victim == "zygote":
                self.kill_zygote()
            client.send({"type": "input", "run_id": run_id, "data": b"go\n", "eof": True})
        finished = client.receive_of("finished")
        self.assertEqual(finished["run_id"], run_id)
        return finished["verdict"], finished.get("evidence", {}).get("signal", 0)

    def kill_zygote(self):
        # One that the breaker does not hold back: the run that follows must not have to wait for its pause.
        pool = wait_for(lambda: (p := self.manager.pool())["state"] == "ready" and p, 60, "a ready pool")
        os.kill(pool["zygote_pid"], signal.SIGKILL)
        wait_for(lambda: self.manager.pool()["zygote_pid"] != pool["zygote_pid"], 60, "the zygote's death is seen")


if __name__ == "__main__":
    unittest.main()
