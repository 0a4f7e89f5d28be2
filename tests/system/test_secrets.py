"""Secrets reach the programs of their session, and nothing else shows them."""
import os
import pathlib
import unittest
import uuid

from support import SMALL, ManagerCase

CANARY = "canary-" + uuid.uuid4().hex


class SecretsTest(ManagerCase):
    config = SMALL + '[server]\nlog_level = "debug"\n'

    def setUp(self):
        path = pathlib.Path(self.manager.directory, "secret")
        path.write_text(CANARY + "-file\n")
        made = self.manager.capsule("session", "new", "--secret-env", "TOKEN", "--secret-file", f"OTHER={path}",
                                    env=dict(self.manager.environment, CAPSULE_SOCKET=self.manager.socket, TOKEN=CANARY))
        path.unlink()
        self.assertEqual(made.status, 0, made)
        self.session = made.out.decode().strip()
        self.addCleanup(self.manager.capsule, "session", "rm", self.session)

    def test_programs_of_the_session_have_them(self):
        code = ("import os, subprocess\nprint(os.environ['TOKEN'][-4:], os.environ['OTHER'][-5:])\n"
                "print(subprocess.run(['sh', '-c', 'echo ${#TOKEN}'], capture_output=True, text=True).stdout)")
        self.assertEqual(self.manager.exec(self.session, code)["stdout"].split(), [CANARY[-4:], "-file", str(len(CANARY))])

    def test_a_fresh_worker_of_the_session_has_them_too(self):
        self.manager.exec(self.session, "import os; os._exit(3)")
        self.assertEqual(self.manager.exec(self.session, "import os; print('TOKEN' in os.environ)")["stdout"], "True\n")

    def test_other_programs_have_not(self):
        self.assertEqual(self.manager.run_code("import os; print('TOKEN' in os.environ)")["stdout"], "False\n")

    def test_nothing_shows_them(self):
        shown = [str(self.manager.exec(self.session, "1 / 0")), str(self.manager.exec(self.session, "while True: pass",
                                                                                    "--timeout", "0.2"))]
        shown += [str(self.manager.info()), self.manager.capsule("session", "ls", "--json").out.decode()]
        shown.append(self.manager.log_file.read_text())
        refused = self.manager.capsule("session", "new", self.session, "--secret-env", "TOKEN",
                                       env=dict(self.manager.environment, CAPSULE_SOCKET=self.manager.socket, TOKEN=CANARY))
        shown += [refused.out.decode(), refused.err.decode()]
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if int(pid) == os.getpid():
                continue
            for name in ("cmdline", "environ"):
                try:
                    shown.append(pathlib.Path("/proc", pid, name).read_bytes().decode(errors="replace"))
                except OSError:
                    continue
        for root, _, names in os.walk(self.manager.directory):
            shown += [pathlib.Path(root, name).read_bytes().decode(errors="replace") for name in names
                      if pathlib.Path(root, name).is_file()]
        self.assertFalse([text[:200] for text in shown if CANARY in text])

    def test_a_session_may_have_as_many_as_the_protocol_says(self):
        names = [f"SECRET_{n}" for n in range(64)]
        environment = dict(self.manager.environment, CAPSULE_SOCKET=self.manager.socket, **dict.fromkeys(names, "x" * 1000))
        words = [word for name in names for word in ("--secret-env", name)]
        session = self.manager.capsule("session", "new", *words, env=environment).out.decode().strip()
        self.addCleanup(self.manager.capsule, "session", "rm", session)
        code = "import os; print(sum(name.startswith('SECRET_') for name in os.environ), 'TRACEPARENT' in os.environ)"
        self.assertEqual(self.manager.exec(session, code, "--timeout", "20")["stdout"], "64 True\n")
        one_more = self.manager.capsule("session", "new", *words, "--secret-env", "PATH", env=environment)
        self.assertEqual((one_more.status, b"too many secrets" in one_more.err), (125, True), one_more)

    def test_a_secret_that_is_not_there_is_an_error(self):
        done = self.manager.capsule("session", "new", "--secret-env", "NO_SUCH_VARIABLE")
        self.assertNotEqual(done.status, 0)
        self.assertIn(b"NO_SUCH_VARIABLE", done.err)


if __name__ == "__main__":
    unittest.main()
