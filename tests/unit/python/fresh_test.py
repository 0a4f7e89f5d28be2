"""Forked workers differ in every random source."""
import subprocess
import sys
import textwrap
import unittest

from support import HERE, MODULES

# Two children of one parent; each prints one line of everything random it knows.
PROGRAM = """
import gc, os, random, ssl, sys, tempfile, uuid, multiprocessing.process
try: import numpy.random as numpy_random
except ImportError: numpy_random = None
sys.path[:0] = sys.argv[1:]
import _capsule_fresh
gc.disable()
random.random(); uuid.uuid1(); next(tempfile._get_candidate_names()); ssl.RAND_bytes(8)
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        _capsule_fresh.after_fork()
        print(random.random(), uuid.uuid4(), uuid.uuid1(), next(tempfile._get_candidate_names()),
              ssl.RAND_bytes(8).hex(), multiprocessing.process.current_process().authkey.hex(),
              numpy_random and numpy_random.random(), numpy_random and numpy_random.default_rng().random(),
              os.urandom(8).hex(), gc.isenabled(), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
"""


class Fresh(unittest.TestCase):
    def test_children_differ_in_every_source(self):
        output = subprocess.run([sys.executable, "-P", "-c", textwrap.dedent(PROGRAM), HERE, MODULES], check=True,
                                stdout=subprocess.PIPE, text=True).stdout
        first, second = (line.split() for line in output.splitlines())
        self.assertEqual((first.pop(), second.pop()), ("True", "True"))
        for one, other in zip(first, second):
            if one != "None":
                self.assertNotEqual(one, other)

    def test_nothing_is_imported_for_it(self):
        code = ("import sys; sys.path[:0] = sys.argv[1:]\nimport _capsule_fresh; before = set(sys.modules)\n"
                "_capsule_fresh.after_fork(); assert set(sys.modules) == before")
        subprocess.run([sys.executable, "-P", "-c", code, HERE, MODULES], check=True)


if __name__ == "__main__":
    unittest.main()
