"""One-shot runs: output, input, results, verdicts and exit statuses."""
import hashlib
import json
import unittest

from support import ManagerCase, finish, last_event, program, read_event

DOCUMENT_KEYS = {"v", "run_id", "verdict", "exit_status", "stdout", "stderr", "result", "displays", "error", "evidence",
                 "usage", "layers"}
USAGE_KEYS = {"wall_s", "cpu_user_s", "cpu_system_s", "queue_s", "peak_memory_bytes"}


class OutputTest(ManagerCase):
    def test_stdout_and_stderr_go_where_they_belong(self):
        done = self.manager.capsule("run", "-c", "import sys; print('out'); print('err', file=sys.stderr)")
        self.assertEqual((done.status, done.out, done.err), (0, b"out\n", b"err\n"), done)

    def test_every_byte_value_arrives_as_it_was_written(self):
        done = self.manager.capsule("run", program("raw_bytes"))
        self.assertEqual(done.out, bytes(range(256)) * 4)
        self.assertEqual(done.err, bytes(reversed(range(256))))

    def test_many_bytes_arrive_whole_and_in_order(self):
        code = ("import os, sys\n"
                "for i in range(200_000): print(i, 'line', i * 7919)\n"
                "sys.stdout.flush()\n"
                "os.write(1, b'end');\n")
        done = self.manager.capsule("run", "-c", code)
        expected = "".join(f"{i} line {i * 7919}\n" for i in range(200_000)).encode() + b"end"
        self.assertEqual(len(done.out), len(expected))
        self.assertEqual(hashlib.sha256(done.out).digest(), hashlib.sha256(expected).digest())

    def test_output_arrives_while_the_program_runs(self):
        child = self.manager.spawn("run", "-c", "print('ready'); print('got', input())")
        self.assertEqual(child.stdout.readline(), b"ready\n")
        done = finish(child, feed=b"it\n")
        self.assertEqual((done.status, done.out), (0, b"got it\n"), done)

    def test_output_without_a_line_end_arrives_at_the_end(self):
        self.assertEqual(self.manager.capsule("run", "-c", "print('no end', end='')").out, b"no end")

    def test_subprocesses_write_into_the_same_streams(self):
        done = self.manager.capsule("run", program("subprocess_output"))
        self.assertEqual((done.status, done.out, done.err), (0, b"one\ntwo\nthree\n", b"two-err\nthree-err\n"), done)

    def test_what_c_code_left_in_its_buffer_is_flushed(self):
        done = self.manager.capsule("run", program("c_stdio"))
        self.assertEqual((done.status, done.out), (0, b"from python\nfrom C\n"), done)

    def test_lines_of_threads_stay_whole(self):
        done = self.manager.capsule("run", program("thread_output"))
        expected = sorted(f"{n}:{i}".encode() for n in range(8) for i in range(100))
        self.assertEqual(sorted(done.out.split()), expected, done)

    def test_exit_handlers_and_threads_end_as_in_python(self):
        self.assertEqual(self.manager.capsule("run", program("at_exit")).out, b"hello\nbye\n")
        self.assertEqual(self.manager.capsule("run", program("non_daemon_thread")).out,
                         b"main is done\nfrom the thread\n")

    def test_all_output_comes_before_the_result_and_the_result_before_the_end(self):
        done = self.manager.capsule("run", "--events", "-c", "for i in range(3000): print(i)\n'value'")
        names = [json.loads(line)["event"] for line in done.out.splitlines()]
        self.assertEqual(names[:2], ["accepted", "started"])
        self.assertEqual(names[-2:], ["result", "finished"])
        self.assertEqual(set(names[2:-2]), {"output"})

    def test_displays_stand_between_what_was_printed_before_and_after(self):
        done = self.manager.capsule("run", "--events", program("displays"))
        story = ""
        for event in map(json.loads, done.out.splitlines()):
            if event["event"] == "output":
                story += event["text"]
            elif event["event"] in ("display", "result"):
                story += f"[{event['data']['text/plain']}]"
        self.assertEqual(story, "one\n['first']two\n[second]three\n[42]")

    def test_chunks_are_numbered_and_their_offsets_have_no_gaps(self):
        code = "import sys\nfor i in range(500): print(i); print(i, file=sys.stderr)"
        done = self.manager.capsule("run", "--events", "-c", code)
        place = {"stdout": 0, "stderr": 0}
        sequence = []
        for event in map(json.loads, done.out.splitlines()):
            if event["event"] != "output":
                continue
            self.assertEqual(event["offset"], place[event["stream"]])
            place[event["stream"]] += len(event["text"].encode())
            sequence.append(event["seq"])
        self.assertEqual(sequence, sorted(set(sequence)))
        self.assertEqual(place, {"stdout": 1890, "stderr": 1890})


class InputTest(ManagerCase):
    def test_input_is_forwarded_whole_far_beyond_the_first_credit(self):
        data = bytes(i * 31 % 256 for i in range(3 << 20))
        done = self.manager.capsule("run", program("stdin_echo"), feed=data)
        self.assertEqual((done.status, len(done.out)), (0, len(data)), done.err)
        self.assertEqual(hashlib.sha256(done.out).digest(), hashlib.sha256(data).digest())

    def test_a_program_that_reads_nothing_does_not_hang_on_much_input(self):
        done = self.manager.capsule("run", "-c", "print('done')", feed=b"x" * (2 << 20))
        self.assertEqual((done.status, done.out), (0, b"done\n"), done)

    def test_no_stdin_means_end_of_file_at_once(self):
        child = self.manager.spawn("run", "--no-stdin", "-c", "import sys; print(repr(sys.stdin.read()))")
        self.assertEqual(child.stdout.readline(), b"''\n")
        self.assertEqual(finish(child).status, 0)

    def test_code_on_standard_input_leaves_none_for_the_program(self):
        done = self.manager.capsule("run", "-", feed=b"import sys\nprint(repr(sys.stdin.read()))")
        self.assertEqual((done.status, done.out), (0, b"''\n"), done)

    def test_a_subprocess_reads_the_same_input(self):
        done = self.manager.capsule("run", "-c", "import subprocess; subprocess.run(['cat']);", feed=b"for cat\n")
        self.assertEqual(done.out, b"for cat\n", done)


class EndTest(ManagerCase):
    def test_the_final_document_has_its_keys(self):
        document = self.manager.run_code("print('hi')\n6 * 7")
        self.assertLessEqual(DOCUMENT_KEYS, set(document))
        self.assertLessEqual(USAGE_KEYS, set(document["usage"]))
        self.assert_verdict(document, "ok", 0)
        self.assertEqual((document["v"], document["stdout"], document["stderr"]), (1, "hi\n", ""))
        self.assertEqual(document["result"]["text/plain"], "42")
        self.assertIsNone(document["error"])
        self.assertGreater(document["usage"]["wall_s"], 0)
        self.assertGreater(document["usage"]["peak_memory_bytes"], 1 << 20)
        self.assertTrue(document["layers"])
        self.assertEqual(document["evidence"]["output"]["stdout_bytes"], 3)

    def test_a_run_that_is_refused_at_the_door_has_the_layers_of_its_profile(self):
        usual = self.manager.run_code("1")
        refused = self.manager.run_code("1", "--timeout", "1000000")
        self.assert_verdict(refused, "rejected", 125)
        self.assertEqual(refused["layers"], usual["layers"])
        self.assertEqual(refused["evidence"]["layers"], usual["layers"])
        unknown = self.manager.run_code("1", "--profile", "nosuch")
        self.assertEqual((unknown["verdict"], unknown["layers"], unknown["layers_missing"]),
                         ("rejected", [], "there is no such profile"), unknown)

    def test_arguments_reach_the_program(self):
        done = self.manager.capsule("run", "-c", "import sys; print(sys.argv[1:])", "--", "--a", "b c", "")
        self.assertEqual(done.out, b"['--a', 'b c', '']\n", done)

    def test_a_file_is_main_under_its_own_name(self):
        document = self.manager.run(program("stdin_echo"), feed=b"")
        self.assert_verdict(document, "ok", 0)
        document = self.manager.run_code("print(__name__)\nclass A: pass\nprint(A.__module__)")
        self.assertEqual(document["stdout"], "__main__\n__main__\n")

    def test_exit_statuses_pass_through(self):
        for what, status in (("0", 0), ("3", 3), ("255", 255), ("256", 0), ("-1", 255), ("none", 0), ("text", 1)):
            with self.subTest(what):
                document = self.manager.run(program("sys_exit"), "--", what)
                self.assert_verdict(document, "exit", status)
                self.assertEqual(document["stderr"], "words\n" if what == "text" else "")

    def test_an_exception_is_shown_as_python_shows_it(self):
        document = self.manager.run(program("exceptions"))
        self.assert_verdict(document, "exception", 1)
        self.assertEqual((document["error"]["name"], document["error"]["value"]), ("ValueError", "no such thing"))
        text = "".join(line if line.endswith("\n") else line + "\n" for line in document["error"]["traceback"])
        self.assertIn('return {}["missing"]', text)
        self.assertIn("The above exception was the direct cause of the following exception:", text)
        self.assertIn("line 15, in <module>\n    middle()", text)
        self.assertNotIn("_capsule", text)
        done = self.manager.capsule("run", program("exceptions"))
        self.assertEqual((done.status, done.out), (1, b""))
        self.assertIn(b"ValueError: no such thing", done.err)

    def test_an_exception_without_a_text_is_an_exception(self):
        document = self.manager.run(program("hostile_exception"))
        self.assert_verdict(document, "exception", 1)
        self.assertIn("Hostile", document["error"]["name"])

    def test_top_level_await_works(self):
        document = self.manager.run(program("top_level_await"))
        self.assert_verdict(document, "ok", 0)
        self.assertEqual((document["stdout"], document["result"]["text/plain"]), ("1\n", "5"))

    def test_a_huge_value_is_cut_not_lost(self):
        document = self.manager.run(program("huge_repr"))
        self.assert_verdict(document, "ok", 0)
        self.assertTrue(document["result"]["text/plain"].startswith("r" * 1000))
        self.assertLess(len(document["result"]["text/plain"]), 12 << 20)

    def test_a_value_of_none_is_no_result(self):
        self.assertIsNone(self.manager.run_code("None")["result"])
        self.assertIsNone(self.manager.run_code("1;")["result"])

    def test_an_unknown_profile_is_refused_with_a_reason(self):
        done = self.manager.capsule("run", "--profile", "nonesuch", "-c", "1")
        self.assertEqual(done.status, 125, done)
        self.assertIn(b"nonesuch", done.err)

    def test_runs_at_the_same_time_do_not_mix(self):
        children = [self.manager.spawn("run", "-c", f"for i in range(2000): print({n})") for n in range(6)]
        for number, child in enumerate(children):
            done = finish(child)
            self.assertEqual((done.status, done.out), (0, f"{number}\n".encode() * 2000), done.err)

    def test_started_tells_hit_or_miss(self):
        child = self.manager.spawn("run", "--events", "-c", "1")
        self.assertIn(read_event(child, "started")["lease"], ("hit", "miss"))
        self.assertEqual(last_event(child)["verdict"], "ok")

    def test_names_of_files_may_be_any_text(self):
        code = ("import os, sys\nopen('naïve-π.csv', 'w').close()\n"
                "print(os.listdir('.'), sys.getfilesystemencoding(), os.fsdecode(b'\\xff').encode('utf-8', 'surrogateescape'))")
        document = self.manager.run("-c", code)
        self.assert_verdict(document, "ok", 0)
        self.assertEqual(document["stdout"], "['naïve-π.csv'] utf-8 b'\\xff'\n")

    def test_what_globals_hold_is_let_go_of_at_the_end_of_a_script(self):
        code = ("class Last:\n    def __del__(self): print('deleted')\n"
                "last = Last()\nf = open('/dev/stdout', 'w')\nf.write('flushed ')")
        document = self.manager.run("-c", code)
        self.assert_verdict(document, "ok", 0)
        self.assertEqual(sorted(document["stdout"].split()), ["deleted", "flushed"])

    def test_a_fresh_worker_has_no_descriptor_or_variable_of_the_manager(self):
        code = ("import os, json\n"
                "links = {}\n"
                "for fd in os.listdir('/proc/self/fd'):\n"
                "    try: links[int(fd)] = os.readlink('/proc/self/fd/' + fd)\n"
                "    except OSError: pass\n"
                "first = open('/proc/self/environ', 'rb').read()\n"
                "print(json.dumps([links, sorted(os.environ), first.decode()]))")
        document = self.manager.run("-c", code, "--no-stdin")
        self.assert_verdict(document, "ok", 0)
        links, names, first = json.loads(document["stdout"])
        kinds = sorted(link if "timerfd" in link else link.split(":")[0] for link in links.values())
        # stdin; the link thread's alarm; stdout and stderr; the link; the two files the heartbeat reads. Nothing else.
        expected = ["/dev/null", "anon_inode:[timerfd]", "pipe", "pipe", "socket"]
        rest = [kind for kind in kinds if not (kind.startswith("/proc/") and kind.endswith(("/stat", "/statm")))]
        self.assertEqual(rest, expected, links)
        # The environment it was started with stays readable in /proc: what libc is told, and nothing of the manager's.
        self.assertEqual(first.strip("\0"), "GLIBC_TUNABLES=glibc.malloc.hugetlb=1")
        allowed = {"HOME", "LANG", "MKL_NUM_THREADS", "MPLBACKEND", "MPLCONFIGDIR", "OMP_NUM_THREADS",
                   "OPENBLAS_NUM_THREADS", "PATH", "PWD", "TRACEPARENT", "TZ"}
        self.assertEqual(set(names) - allowed, set())

    def test_an_argument_before_the_dashes_is_told_where_it_belongs(self):
        done = self.manager.capsule("run", program("print_flood"), "--verbose")
        self.assertEqual(done.status, 2, done)
        self.assertIn(b"--verbose; arguments of the program go after --", done.err)


if __name__ == "__main__":
    unittest.main()
