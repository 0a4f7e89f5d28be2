"""Where a worker's memory lies: what its zygote made is in a file that all share, what a session makes in large pages."""
import pathlib
import re
import unittest

from support import BUILD, SMALL
from test_fork import ForkCase

IMAGE = "/memfd:zygote"
MIB = 1 << 20
OBJECTS = "objects = [{'id': i, 'name': f'object {i}'} for i in range(200_000)]"
TAKEN = "'/memfd:zygote' in open('/proc/self/maps').read()"


def mappings(pid):
    """Each mapping's first line and its figures in KiB."""
    text = pathlib.Path(f"/proc/{pid}/smaps").read_text()
    found = []
    for line in text.splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            found.append({"line": line})
        elif match := re.match(r"(\w+): +(\d+) kB", line):
            found[-1][match[1]] = int(match[2])
    return found


def has_large_pages():
    """Whether the kernel gives some to who asks for them."""
    setting = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return setting.exists() and "[never]" not in setting.read_text()


class PagesCase(ForkCase):
    def worker_of(self, session):
        return self.sessions()[session]["worker_pid"]

    def large_kib(self, session):
        return sum(each["AnonHugePages"] for each in mappings(self.worker_of(session)))


@unittest.skipIf("asan" in str(BUILD) or "tsan" in str(BUILD), "with a sanitiser a zygote's memory stays where it is")
class Image(PagesCase):
    def test_a_fresh_worker_has_little_of_its_own_of_what_its_zygote_made(self):
        session = self.new()
        self.client.run(session, "1 + 1")
        image = [each for each in mappings(self.worker_of(session)) if IMAGE in each["line"]]
        size, own = (sum(each[name] for each in image) for name in ("Size", "Anonymous"))
        self.assertGreater(size, 8 << 10)
        self.assertLess(own, size / 2)

    def test_what_one_session_changes_of_it_no_other_sees(self):
        one, other = self.new(), self.new()
        self.client.run(one, "import json.decoder, builtins; json.decoder.NaN = 'changed'; builtins.changed = 1")
        self.assertEqual(self.value(one, "json.decoder.NaN"), "'changed'")
        asked = "__import__('json.decoder').decoder.NaN, hasattr(__import__('builtins'), 'changed')"
        for session in (other, self.new()):
            self.assertEqual(self.value(session, asked), "(nan, False)")

    def test_a_program_has_no_way_to_write_to_it(self):
        session = self.new()
        code = f"""
import os, re
tried = opened = 0
for line in open('/proc/self/maps'):
    if {IMAGE!r} not in line: continue
    for how in (os.O_RDWR, os.O_WRONLY, os.O_RDONLY):
        tried += 1
        try: os.close(os.open('/proc/self/map_files/' + line.split()[0], how)); opened += 1
        except OSError: pass
"""
        self.client.run(session, code)
        self.assertEqual(self.value(session, "tried > 0, opened"), "(True, 0)")

    def test_forks_and_snapshots_have_it_too(self):
        session = self.new(rollback="always")
        self.client.run(session, "x = [1]")
        fork, = self.fork(session)
        crash = self.client.run(session, "import os; os._exit(1)")
        self.assertEqual(crash.state, "rolled_back", crash)
        for each in (session, fork):
            self.assertEqual(self.value(each, f"x, {TAKEN}"), "([1], True)")


BLOCKS = """
import mmap
text = bytearray(b"x" * (1 << 20))
numbers = list(range(200_000))
private = mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
private.write(b"y" * (1 << 20))
"""


class PreloadedBlocks(PagesCase):
    """Large blocks and mappings that a preloaded module has made are a program's to grow and to empty."""

    @classmethod
    def setUpClass(cls):
        packages = cls.directory_for_programs()
        (packages / "blocks.py").write_text(BLOCKS)
        cls.config = SMALL + f'[profiles.base]\npreload = ["blocks"]\npackages = ["{packages}"]\n'
        super().setUpClass()

    def value_of(self, code, expression):
        session = self.new()
        outcome = self.client.run(session, "import blocks, mmap\n" + code)
        self.assertEqual(outcome.verdict, "ok", outcome)
        return self.value(session, expression)

    def test_they_hold_what_was_in_them_when_they_have_grown(self):
        for more in (300 << 10, 50 << 20):
            value = self.value_of(f"blocks.text.extend(bytes({more}))",
                                  f"blocks.text.count(b'x') == 1 << 20, blocks.text.count(0) == {more}")
            self.assertEqual(value, "(True, True)", more)
        self.assertEqual(self.value_of("blocks.numbers.extend(range(3_000_000))", "sum(blocks.numbers)"),
                         str(sum(range(200_000)) + sum(range(3_000_000))))

    def test_a_mapping_grows_with_zeros_and_is_emptied_to_zeros(self):
        for size in (2 << 20, 100 << 20):
            value = self.value_of(f"blocks.private.resize({size})",
                                  "blocks.private[:].count(b'y'), blocks.private[1 << 20:].count(0)")
            self.assertEqual(value, f"({MIB}, {size - MIB})")
        self.assertEqual(self.value_of("blocks.private.madvise(mmap.MADV_DONTNEED)", "blocks.private[:].count(0)"), str(MIB))


@unittest.skipUnless(has_large_pages(), "this kernel gives no large pages")
@unittest.skipIf("asan" in str(BUILD) or "tsan" in str(BUILD), "a sanitiser has an allocator of its own")
class LargePages(PagesCase):
    def test_small_objects_beyond_the_first_lie_in_large_pages(self):
        session = self.new(rollback="off")
        self.client.run(session, OBJECTS)
        self.assertGreater(self.large_kib(session), 16 << 10)
        self.assertEqual(self.value(session, "len(objects), objects[-1]"), "(200000, {'id': 199999, 'name': 'object 199999'})")

    def test_a_large_block_lies_in_large_pages(self):
        session = self.new(rollback="off")
        self.client.run(session, "block = b'x' * (64 << 20)")
        self.assertGreater(self.large_kib(session), 32 << 10)

    def test_a_session_that_has_made_little_has_none(self):
        session = self.new(rollback="off")
        self.client.run(session, "few = [str(i) for i in range(1000)]")
        self.assertEqual(self.large_kib(session), 0)

    def test_what_two_forks_change_of_it_is_their_own(self):
        session = self.new(rollback="always")
        self.client.run(session, OBJECTS + "\nblock = bytearray(32 << 20)")
        forks = self.fork(session, 2)
        for i, each in enumerate([session, *forks]):
            self.client.run(each, f"for o in objects: o['id'] = {i}\nblock[:] = bytes([{i}]) * len(block)")
        for i, each in enumerate([session, *forks]):
            self.assertEqual(self.value(each, "{o['id'] for o in objects}, set(block)"), f"({{{i}}}, {{{i}}})")

    def test_objects_that_are_gone_give_their_memory_back(self):
        session = self.new(rollback="off")
        self.client.run(session, OBJECTS)
        full = self.sessions()[session]["rss_bytes"]
        self.client.run(session, "del objects")
        left = sum(each["Rss"] for each in mappings(self.worker_of(session))) << 10
        self.assertLess(left, full - 20 * MIB)
