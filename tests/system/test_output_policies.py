"""What happens to much output, and that it is counted to the byte."""
import time
import unittest

from processes import wait_for
from support import SMALL, ManagerCase, finish, program

CONFIG = SMALL + """
[client]
send_buffer_bytes = 262144
"""
MIB = 1 << 20


class PolicyTest(ManagerCase):
    config = CONFIG

    def counts(self, document):
        return document["evidence"]["output"]

    def test_truncate_keeps_the_limit_and_counts_the_rest(self):
        document = self.manager.run_code("import sys\nfor i in range(1000): sys.stdout.write('x' * 999 + '\\n')",
                                         "--output-policy", "truncate", "--output-limit", "10000")
        self.assert_verdict(document, "ok", 0)
        self.assertEqual(len(document["stdout"]), 10000)
        counts = self.counts(document)
        self.assertEqual((counts["stdout_bytes"], counts["dropped_bytes"], counts["enqueued_bytes"]),
                         (1_000_000, 990_000, 10_000))

    def test_a_line_of_a_gigabyte_is_counted_to_the_byte(self):
        document = self.manager.run(program("one_gigabyte_line"), "--output-policy", "truncate",
                                    "--output-limit", "1MiB")
        self.assert_verdict(document, "ok", 0)
        self.assertEqual(document["stdout"], "x" * MIB)
        counts = self.counts(document)
        self.assertEqual((counts["stdout_bytes"], counts["dropped_bytes"]), ((1 << 30) + 1, (1 << 30) + 1 - MIB))

    def test_the_limit_is_for_both_streams_together(self):
        code = "import os\nos.write(1, b'o' * 600)\nos.write(2, b'e' * 600)"
        document = self.manager.run_code(code, "--output-policy", "truncate", "--output-limit", "1000")
        self.assertEqual(len(document["stdout"]) + len(document["stderr"]), 1000)
        counts = self.counts(document)
        self.assertEqual((counts["stdout_bytes"], counts["stderr_bytes"], counts["dropped_bytes"]), (600, 600, 200))

    def test_stop_ends_a_flood(self):
        document = self.manager.run(program("print_flood"), "--output-policy", "stop", "--output-limit", "100000",
                                    "--timeout", "60")
        self.assert_verdict(document, "output_limit", 153)
        self.assertEqual(len(document["stdout"]), 100_000)
        self.assertIn("100000", document["evidence"]["limit"])
        counts = self.counts(document)
        self.assertEqual(counts["stdout_bytes"], 100_000 + counts["dropped_bytes"])

    def test_stop_leaves_a_run_alone_that_ends_exactly_at_the_limit(self):
        document = self.manager.run_code("import os; os.write(1, b'x' * 1000);", "--output-policy", "stop",
                                         "--output-limit", "1000")
        self.assert_verdict(document, "ok", 0)

    def test_block_makes_the_program_wait_and_loses_nothing(self):
        total = 24 * MIB
        with self.manager.raw(timeout=60) as client:
            client.hello()
            run_id = client.execute(f"import os\nfor i in range({total >> 16}): os.write(1, bytes([i % 251]) * 65536)",
                                    output_policy="block")
            run = wait_for(lambda: (r := self.manager.find_run(run_id))["stdout_bytes"] > 0 and r)
            time.sleep(0.5)  # a program that did not wait would be done by now
            run = self.manager.find_run(run_id)
            self.assertEqual(run["state"], "running")
            self.assertLess(run["stdout_bytes"], 8 * MIB)
            messages = client.messages_until_finished()
        data = b"".join(m["data"] for m in messages if m["type"] == "output")
        self.assertEqual(len(data), total)
        self.assertEqual(data, b"".join(bytes([i % 251]) * 65536 for i in range(total >> 16)))
        counts = messages[-1]["evidence"]["output"]
        self.assertEqual((counts["stdout_bytes"], counts.get("dropped_bytes", 0)), (total, 0))
        self.assertLess(counts["deepest_queue_bytes"], 8 * MIB)

    def test_one_client_that_does_not_read_holds_up_nobody_else(self):
        with self.manager.raw() as client:
            client.hello()
            client.execute("while True: print('x' * 1000)")
            for _ in range(5):
                self.assert_next_run_works()

    def test_a_flood_can_be_cancelled(self):
        child = self.manager.spawn("run", "--json", program("print_flood"), "--timeout", "1")
        self.assert_verdict(finish(child).document(), "timeout", 124)


if __name__ == "__main__":
    unittest.main()
