"""Forked workers differ in every random source."""
import subprocess
import sys
import unittest

from support import HERE, MODULES

# Two children of one parent; each prints one line of everything random it knows.
PROGRAM = """
import gc, os, random, ssl, sys, tempfile, uuid, multiprocessing.process
try: import numpy.random as numpy_random
except ImportError: numpy_random = None
sys.path[:0] = sys.argv[1:]
import _capsule_fresh
gc.disable(); _capsule_fresh.rehearse()
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


# What the short way writes must be all that the generator goes by.
NUMPY = """
import os, sys
import numpy, numpy.random
sys.path[:0] = sys.argv[1:]
import _capsule_fresh
numpy.random.normal(size=3)
_capsule_fresh.rehearse()
assert _capsule_fresh._twister is not None
key = bytes(range(256)) * 10
_capsule_fresh.os.urandom = lambda size: key[:size]
for _ in ("in a fresh worker", "in a copy of it that has drawn an odd count of numbers"):
    _capsule_fresh._reseed_numpy(sys.modules["numpy.random.mtrand"])
    told = numpy.random.RandomState(0)
    told.set_state(("MT19937", numpy.frombuffer(key[:2496], "uint32"), 624))
    assert list(numpy.random.normal(size=2001)) == list(told.normal(size=2001))
"""

# Two processes with the same pid and the same parent: what OpenSSL alone cannot tell apart.
SAME_PID = """
import ctypes, os, ssl, sys
sys.path[:0] = sys.argv[1:]
import _capsule_fresh
CLONE_NEWUSER, CLONE_NEWPID = 0x10000000, 0x20000000
libc = ctypes.CDLL(None)
def in_new_namespace(flags, act):
    if os.fork() == 0:
        if libc.unshare(flags) != 0: os._exit(5)
        pid = os.fork()
        if pid == 0:
            act()
            os._exit(0)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    return os.waitstatus_to_exitcode(os.wait()[1])
def print_random():
    _capsule_fresh.after_fork()
    print(os.getpid(), ssl.RAND_bytes(8).hex(), flush=True)
def be_parent():
    _capsule_fresh.rehearse()
    for _ in range(2): in_new_namespace(CLONE_NEWPID, print_random)
sys.exit(in_new_namespace(CLONE_NEWUSER | CLONE_NEWPID, be_parent))
"""


class Fresh(unittest.TestCase):
    def test_children_differ_in_every_source(self):
        output = subprocess.run([sys.executable, "-P", "-c", PROGRAM, HERE, MODULES], check=True,
                                stdout=subprocess.PIPE, text=True).stdout
        first, second = (line.split() for line in output.splitlines())
        self.assertEqual((first.pop(), second.pop()), ("True", "True"))
        for one, other in zip(first, second):
            if one != "None":
                self.assertNotEqual(one, other)

    def test_numpy_goes_on_from_its_new_state(self):
        try:
            import numpy  # noqa: F401
        except ImportError:
            self.skipTest("there is no numpy here")
        subprocess.run([sys.executable, "-P", "-c", NUMPY, HERE, MODULES], check=True)

    def test_openssl_differs_where_pids_repeat(self):
        done = subprocess.run([sys.executable, "-P", "-c", SAME_PID, HERE, MODULES], stdout=subprocess.PIPE, text=True)
        if done.returncode == 5:
            self.skipTest("namespaces are not to be had here")
        first, second = (line.split() for line in done.stdout.splitlines())
        self.assertEqual((first[0], second[0]), ("1", "1"))
        self.assertNotEqual(first[1], second[1])

    def test_nothing_is_imported_for_it(self):
        code = ("import sys; sys.path[:0] = sys.argv[1:]\nimport _capsule_fresh; before = set(sys.modules)\n"
                "_capsule_fresh.after_fork(); assert set(sys.modules) == before")
        subprocess.run([sys.executable, "-P", "-c", code, HERE, MODULES], check=True)


if __name__ == "__main__":
    unittest.main()
