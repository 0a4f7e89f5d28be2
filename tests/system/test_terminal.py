"""A reader's terminal does what is printed to it. What comes from programs, and from checkpoints of others, must not be
able to make it."""
import unittest

from support import ManagerCase

TITLE = "\x1b]0;owned\x07"  # sets the title of a window; OSC 52 sets the clipboard the same way
ALL = TITLE + "\x1bP1$r\x1b\\\r\x08\x7f\x9b2J"
SHOWN = b"\\x1b]0;owned\\x07"
PRINTS = f"import sys; print({ALL!r}); print({ALL!r}, file=sys.stderr)"


class TerminalTest(ManagerCase):
    def assert_harmless(self, text, times):
        drives = [c for c in text.decode() if c not in "\n\t" and (c < " " or "\x7f" <= c < "\xa0")]
        self.assertEqual(drives, [], text)
        self.assertEqual(text.count(SHOWN), times, text)

    def shown(self, *arguments, times=1, status=0):
        done = self.manager.on_terminal(*arguments)
        self.assertEqual(done.status, status, done)
        self.assert_harmless(done.out, times)
        return done

    def new(self):
        session = self.manager.capsule("session", "new", "--rollback", "always").out.decode().strip()
        self.addCleanup(self.manager.capsule, "session", "rm", session)
        return session

    def test_what_a_program_prints_raises_and_evaluates_to_is_shown_and_not_done(self):
        self.shown("run", "-c", PRINTS, times=2)
        session = self.new()
        self.shown("exec", session, "-c", PRINTS, times=2)
        raises = f"class Odd(Exception):\n  def __str__(self): return {ALL!r}\nraise Odd"
        self.shown("exec", session, "-c", raises, status=1)
        self.shown("exec", session, "-c", f"class Odd:\n  def __repr__(self): return {ALL!r}\nOdd()")

    def test_its_log_its_record_and_json_are_as_harmless(self):
        run = self.manager.run_code(PRINTS)["run_id"]
        self.shown("logs", run, times=2)
        done = self.manager.on_terminal("run", "--json", "-c", PRINTS)
        self.assert_harmless(done.out, 0)
        self.assertEqual(done.document()["stdout"], ALL + "\n")

    def test_a_pipe_gets_the_bytes_as_they_are_and_a_terminal_when_it_is_asked_for(self):
        self.assertEqual(self.manager.capsule("run", "-c", f"print({ALL!r})").out, (ALL + "\n").encode())
        done = self.manager.on_terminal("run", "--raw", "-c", f"print({TITLE!r})")
        self.assertEqual(done.out, (TITLE + "\n").encode())

    def test_names_of_processes_that_an_undo_loses(self):
        session = self.new()
        starts = (f"import os, subprocess\nos.symlink('/bin/sleep', {TITLE!r})\n"
                  f"p = subprocess.Popen([os.path.abspath({TITLE!r}), '1000'])")
        self.assertEqual(self.manager.exec(session, starts)["verdict"], "ok")
        self.assertEqual(self.manager.exec(session, "x = 1")["verdict"], "ok")
        listed = self.manager.capsule("session", "ls-checkpoints", session)
        self.assertIn(SHOWN, listed.out, listed)
        self.shown("session", "undo", session)

    def test_a_checkpoint_its_notes_and_what_was_left_out_of_it(self):
        session = self.new()
        holds = (f"class Odd:\n  def __reduce__(self): raise ValueError({ALL!r})\nodd = Odd()\n"
                 f"globals()[{TITLE!r}] = 1")
        self.assertEqual(self.manager.exec(session, holds)["verdict"], "ok")
        self.addCleanup(self.manager.capsule, "checkpoints", "rm", "odd")
        saved = self.manager.on_terminal("session", "checkpoint", session, "--name", "odd", "--durable", "--notes",
                                         TITLE + "\nname: forged")
        self.assertEqual(saved.status, 0, saved)
        self.assertIn(b"left out: ", saved.out)
        self.assert_harmless(saved.out, saved.out.count(SHOWN))
        # What came through a pipe may reach a terminal later.
        for shown in (self.manager.on_terminal("checkpoints", "show", "odd"),
                      self.manager.capsule("checkpoints", "show", "odd")):
            self.assertEqual(shown.status, 0, shown)
            self.assert_harmless(shown.out, shown.out.count(SHOWN))
            self.assertIn(b"notes: " + SHOWN + b" name: forged\n", shown.out)
            self.assertIn(b"left out: ", shown.out)


if __name__ == "__main__":
    unittest.main()
