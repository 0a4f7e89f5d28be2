"""Durable checkpoints of namespaces that resist: each name costs only itself, and time and memory are bounded."""
import unittest

from checkpoints import CheckpointTest

RAISING = "class Bad:\n    def __reduce__(self): {}\n"


class Resisting(CheckpointTest):
    def bad(self, body, reason, **options):
        saved = self.save(RAISING.format(body) + "a = [1]\nbad = [a, Bad()]\nb = {'a': a}", **options)
        self.assertEqual(list(saved.left_out), ["bad"])
        self.assertIn(reason, saved.left_out["bad"])
        self.load(saved.payload, "assert b['a'] is a")

    def test_reduce_raises(self):
        self.bad("raise ValueError('no')", "ValueError: no")

    def test_reduce_exits(self):
        self.bad("raise SystemExit(3)", "SystemExit: 3")

    def test_reduce_raises_what_cannot_be_shown(self):
        self.bad("\n        class E(Exception):\n            def __str__(self): raise self\n        raise E", "E")

    def test_reduce_recurses_without_end(self):
        self.bad("return Bad, (Bad(),)", "nested too deeply")

    def test_reduce_answers_nonsense(self):
        self.bad("return 5", "PicklingError")

    def test_reduce_loops(self):
        self.bad("\n        while True: pass", "nothing came of it for 0.5 s", stall_seconds=0.5)

    def test_reduce_sleeps_and_swallows(self):
        self.bad("\n        import time\n        try: time.sleep(60)\n        except BaseException: pass\n        time.sleep(60)",
                 "nothing came of it for 0.5 s", stall_seconds=0.5)

    def test_reduce_forks(self):
        saved = self.save("import os\nclass Bad:\n    def __reduce__(self):\n        os.fork()\n        return str, ('x',)\na = 1\nbad = Bad()\nb = 2")
        self.load(saved.payload, "assert (a, bad, b) == (1, 'x', 2)")

    def test_reduce_ends_the_process_and_the_stream_says_which_name_it_was(self):
        program = "import os\na = [1]\n" + RAISING.format("os._exit(9)") + "bad = Bad()\nb = 2"
        saved = self.save(program, status=9)
        self.assertEqual((saved.metadata, saved.at_work[-1]), (None, "bad"))
        report = self.load(saved.payload, "assert a == [1]")
        self.assertTrue(report["whole"])  # the records that were sent were
        saved = self.save(program, leave_out={"bad": "it ended the process that saved it"})
        self.assertEqual(saved.left_out, {"bad": "it ended the process that saved it"})
        self.load(saved.payload, "assert b == 2")

    def test_a_file_is_not_captured(self):
        saved = self.save("f = open('/etc/passwd'); g = [open('/etc/passwd', 'rb')]\na = 1")
        self.assertEqual(set(saved.left_out), {"f", "g"})
        self.assertIn("an open file is not captured: '/etc/passwd'", saved.left_out["f"])

    def test_deep_nesting_is_saved(self):
        self.check("deep = None\nfor i in range(8000): deep = [deep]\nclass N: pass\nchain = None\n"
                   "for i in range(3000):\n    n = N(); n.next = chain; chain = n",
                   "for i in range(8000): deep = deep[0]\nassert deep is None\nfor i in range(2999): chain = chain.next\nassert chain.next is None")

    def test_deeper_nesting_is_left_out(self):
        saved = self.save("a = []\ndeep = None\nfor i in range(200000): deep = [deep]\nimport sys; sys.setrecursionlimit(10**9)\nb = [a]")
        self.assertEqual(list(saved.left_out), ["deep"])
        self.load(saved.payload, "assert b[0] is a")


class Loading(CheckpointTest):
    """setstate raises where it is loaded and not where it is saved."""
    CLASS = "import os\nclass Bad:\n    def __setstate__(self, state): os.getcwd() and 1 / 0\n"

    def test_a_name_that_fails_to_load_costs_only_itself(self):
        saved = self.save("a = [1]\n" + self.CLASS + "o = Bad(); o.x = 1\nbad = [a, o, 5]\nb = {'a': a}; c = [b]; d = c",
                          leave_out={"o": "the test's"})
        report = self.load(saved.payload, "assert b['a'] is a and c[0] is b and d is c and 'bad' not in globals()")
        self.assertEqual([(each["name"], each["reason"]) for each in report["failed"]],
                         [("bad", "ZeroDivisionError: division by zero")])

    def test_what_was_part_of_it_says_so_when_it_is_used(self):
        saved = self.save(self.CLASS + "part = [1]\no = Bad(); o.x = part\nbad = [part, o]\nafter = {'part': part}\ndel part",
                          leave_out={"o": "the test's"})
        report = self.load(saved.payload, "try: after['part'].x\nexcept AttributeError as e: assert 'bad' in str(e), e\nelse: raise AssertionError")
        self.assertEqual([each["name"] for each in report["failed"]], ["bad"])

    def test_texts_and_classes_that_it_has_in_common_with_others_are_not_lost(self):
        saved = self.save("import collections\n" + self.CLASS + "class Fine: pass\no = Bad(); o.colour = collections.Counter()\n"
                          "o.last = 'a text'\nfine = Fine(); fine.colour = collections.Counter('a'); fine.last = 'a text'\nwhole = {'last': fine}")
        report = self.load(saved.payload, "assert fine.colour['a'] == 1 and fine.last == 'a text' and whole['last'] is fine")
        self.assertEqual([each["name"] for each in report["failed"]], ["o"])

    def test_many_of_them(self):
        saved = self.save(self.CLASS + "shared = [1]\nfor i in range(300):\n    o = Bad(); o.x = i\n    globals()[f'v{i}'] = o\n"
                          "    globals()[f'w{i}'] = [shared, i]\ndel i, o")
        report = self.load(saved.payload, "assert all(globals()[f'w{i}'][0] is shared for i in range(300))")
        self.assertEqual(report["failed_count"], 300)

    def test_a_payload_that_ends_early_gives_what_was_whole(self):
        payload = self.save("a = [1]\nb = [a, 'x' * 100]").payload
        for cut in range(10, 100, 7):
            report = self.load(payload[:-cut], "assert 'b' not in globals()")
            self.assertFalse(report["whole"])


class Bounds(CheckpointTest):
    def test_many_names_of_which_half_cannot_be_saved(self):
        saved = self.save("import threading\nfor i in range(100000): globals()[f'v{i}'] = [i] if i % 2 else [threading.Lock()]\ndel i")
        self.assertEqual((saved.metadata["names"], saved.metadata["names_left_out"]), (50001, 50000))
        self.load(saved.payload, "assert v99999 == [99999] and len(globals()) > 50000")

    def test_what_does_not_fit_is_left_out(self):
        for large in ("b'x' * 3000000", "'x' * 3000000", "[b'x' * 1000 + bytes([i % 256, i // 256]) for i in range(3000)]"):
            saved = self.save(f"a = [1]\nlarge = {large}\nb = [a]", bytes_max=1000000)
            self.assertEqual(saved.left_out, {"large": "it does not fit into what a checkpoint may have"})
            self.assertLess(len(saved.payload), 1000000)
            self.load(saved.payload, "assert b[0] is a")

    def test_a_large_name_is_tried_before_it_is_sent(self):
        saved = self.save("import threading\na = bytes(10)\nbig = [bytes(50 << 20), bytearray(50 << 20), a, threading.Lock()]\nb = [a]")
        self.assertEqual(list(saved.left_out), ["big"])
        self.assertLess(len(saved.payload), 100000)
        self.load(saved.payload, "assert b[0] is a")

    def test_a_large_name_is_streamed(self):
        self.check("import resource\na = bytes(70 << 20); c = [a, bytearray(b'y' * (70 << 20)), 'z' * (10 << 20)]; tail = c[1]",
                   "assert c[0] is a and len(a) == 70 << 20 and c[1] is tail and tail[-1] == 121 and c[2][-1] == 'z'")

    def test_one_that_changes_its_mind_is_taken_back(self):
        saved = self.save("import threading\nclass Late:\n    n = 0\n    def __reduce__(self):\n        Late.n += 1\n        if Late.n > 1: raise ValueError('second')\n"
                          "        return str, ('x',)\na = [1]\nbad = [a, bytes(80 << 20), Late()]\nb = [a]; c = b")
        self.assertEqual(list(saved.left_out), ["bad"])
        report = self.load(saved.payload, "assert b[0] is a and c is b and 'bad' not in globals()")
        self.assertEqual([each["name"] for each in report["failed"]], ["bad"])

    def test_time_that_is_up_leaves_out_the_rest(self):
        saved = self.save("import time\na = 1\nclass Slow:\n    def __reduce__(self):\n        time.sleep(60)\n        return str, ()\n"
                          "slow = Slow(); b = 2", seconds=0.5)
        self.assertEqual(set(saved.left_out), {"slow", "b"})
        self.assertIn("the time for the checkpoint was up", saved.left_out["slow"])
        self.load(saved.payload, "assert a == 1")


if __name__ == "__main__":
    unittest.main()
