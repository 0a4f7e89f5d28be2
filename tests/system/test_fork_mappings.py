"""Files that are mapped, in forks: each session has its own."""
from processes import wait_for
from test_fork import ForkCase

# Each writes one letter, and reads what there is by all ways.
MAPPED = """
import mmap, os
places = ['data.bin', '/tmp/data.bin', '/dev/shm/data']
maps, seen = [], []
for place in places:
    with open(place, 'wb+') as file:
        file.write(b'a' * 8192); file.flush()
        maps.append(mmap.mmap(file.fileno(), 8192))
    with open(place, 'rb') as file:
        seen.append(mmap.mmap(file.fileno(), 8192, prot=mmap.PROT_READ))
def write(letter):
    for mapped in maps: mapped[4095:4097] = letter * 2
def read():
    return {bytes(m[4095:4097]) for m in maps + seen} | {open(p, 'rb').read()[4095:4097] for p in places}
"""


class MappedFiles(ForkCase):
    def assert_independent(self, source, *forks):
        for number, session in enumerate((source, *forks)):
            self.client.run(session, f"write(b'{chr(ord('b') + number)}')")
        for number, session in enumerate((source, *forks)):
            letter = chr(ord("b") + number)
            self.assertEqual(self.value(session, "read()"), f"{{b'{letter}{letter}'}}", number)

    def test_what_a_fork_has_mapped_is_its_own_file(self):
        source = self.new()
        self.client.run(source, MAPPED)
        answer = self.client.session("fork", source=source, count=2)
        for fork in answer["forks"]:
            self.addCleanup(self.remove, fork)
        self.assertEqual(answer["not_captured"], [])
        further, = self.fork(answer["forks"][0])
        self.assert_independent(source, *answer["forks"], further)

    def test_what_a_fork_that_was_made_in_advance_has_mapped_is_its_own_file(self):
        source = self.new()
        self.client.run(source, MAPPED)
        self.fork(source)
        wait_for(lambda: self.sessions()[source]["fork_in_advance"], what="a fork in advance")
        self.assert_independent(source, *self.fork(source))

    def test_the_command_line_says_what_a_fork_lacks(self):
        source = self.new()
        self.client.run(source, "import mmap; shared = mmap.mmap(-1, 4096)")
        done = self.manager.capsule("session", "fork", source, "--name", "lacking")
        self.addCleanup(self.remove, "lacking")
        self.assertEqual(done.out, b"lacking\n")
        self.assertEqual(done.err, b"capsule: not in the fork: memory shared with others: /dev/zero (deleted)\n")

    def test_a_rollback_leaves_what_is_mapped_where_it_is(self):
        source = self.new(rollback="always")
        self.client.run(source, MAPPED)
        self.client.run(source, "write(b'b'); import os; os._exit(1)")
        self.assertEqual(self.value(source, "read()"), "{b'bb'}")
