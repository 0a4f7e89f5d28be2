"""Durable checkpoints and what can go wrong on the way to the disk: a full one, a manager that is killed, other users.

CAPSULE_KILLS is how often a manager is killed while it writes.
"""
import os
import pathlib
import random
import resource
import sys
import unittest

from branches import BranchClient, Refused
from processes import wait_for
from support import BUILD, SHARED, SMALL, Manager, ManagerCase, as_user

KILLS = int(os.environ.get("CAPSULE_KILLS", "20"))
SEED = int(os.environ.get("CAPSULE_RANDOM_SEED", str(random.SystemRandom().randrange(1 << 32))))
MIB = 1 << 20
TOLD_FSYNC = BUILD / "tests" / "system" / "libtold_fsync.so"
NOISE = f"import os; noise = b''.join(os.urandom({MIB}) for _ in range({{}})); x = {{}}"  # does not compress


class DiskCase(unittest.TestCase):
    def connect(self, manager):
        client = BranchClient(manager.socket)
        self.addCleanup(client.close)
        return client

    @staticmethod
    def directory(manager):
        return pathlib.Path(f"/proc/{manager.pid}/root{manager.directory}/state/checkpoints/{os.getuid()}")

    def files(self, manager):
        return sorted(path.name for path in self.directory(manager).iterdir())

    def assert_restores(self, client, checkpoint, expected):
        copy = client.new(checkpoint=checkpoint)
        self.assertEqual(client.run(copy, "x, len(noise)").result, repr(expected))
        client.session("rm", copy)


@unittest.skipIf("asan" in str(BUILD) or "tsan" in str(BUILD), "a preloaded library has to come after that of the sanitiser")
class Order(DiskCase):
    """What reaches the disk, and when: a library in the manager tells, and lets one of the calls fail."""

    def start(self, **variables):
        manager = Manager(environment={"LD_PRELOAD": str(TOLD_FSYNC), **variables})
        self.addCleanup(manager.kill)
        manager.environment["FSYNC_LOG"] = f"{manager.directory}/fsync"
        manager.start()
        client = self.connect(manager)
        session = client.new()
        self.assertEqual(client.run(session, NOISE.format(1, 1)).verdict, "ok")
        return manager, client, session

    @staticmethod
    def calls(manager):
        path = pathlib.Path(manager.directory, "fsync")
        return path.read_text().splitlines() if path.exists() else []

    def test_bytes_are_safe_before_the_name_and_the_name_before_the_answer(self):
        manager, client, session = self.start()
        for name in ("one", "two"):
            before = len(self.calls(manager))
            client.session("checkpoint", session, checkpoint=name, durable=True)
            self.assertEqual(self.calls(manager)[before:], ["fsync file", f"rename {name}.ckpt", "fsync directory"])
        client.close()
        manager.stop()

    def test_when_the_bytes_cannot_be_made_safe_nothing_is_acknowledged_and_no_name_is_seen(self):
        manager, client, session = self.start(FSYNC_FAILS="file")
        with self.assertRaisesRegex(Refused, "fsync"):
            client.session("checkpoint", session, checkpoint="lost", durable=True)
        self.assertEqual(self.calls(manager), ["fsync file"])
        wait_for(lambda: self.files(manager) == [], 5, "the half file is gone")
        self.assertEqual(client.session("checkpoint_ls")["checkpoints"], [])
        self.assertEqual(client.run(session, "x").result, "1")
        client.close()
        manager.stop()

    def test_when_the_name_cannot_be_made_safe_nothing_is_acknowledged(self):
        manager, client, session = self.start(FSYNC_FAILS="directory")
        with self.assertRaisesRegex(Refused, "fsync of the directory"):
            client.session("checkpoint", session, checkpoint="maybe", durable=True)
        self.assertEqual(self.calls(manager), ["fsync file", "rename maybe.ckpt", "fsync directory"])
        client.close()
        manager.stop()


class FullDisk(DiskCase):
    def fill(self, manager):
        client = self.connect(manager)
        session = client.new()
        self.assertEqual(client.run(session, NOISE.format(2, 1)).verdict, "ok")
        client.session("checkpoint", session, checkpoint="before", durable=True)
        self.assertEqual(client.run(session, NOISE.format(8, 2)).verdict, "ok")
        with self.assertRaisesRegex(Refused, "the disk of the checkpoints is full") as caught:
            client.session("checkpoint", session, checkpoint="after", durable=True)
        self.assertEqual(caught.exception.code, "too_large")
        wait_for(lambda: self.files(manager) == ["before.ckpt"], 5, "the half file is gone")
        rows = client.session("checkpoint_ls")["checkpoints"]
        self.assertEqual([(row["name"], row.get("problem")) for row in rows], [("before", None)])
        self.assert_restores(client, "before", (1, 2 * MIB))
        return client, session

    @unittest.skipUnless(os.geteuid() == 0, "needs root to mount a small disk")
    def test_a_disk_that_is_full_in_the_middle_leaves_what_was_there(self):
        manager = Manager()
        self.addCleanup(manager.kill)
        place = f"{manager.directory}/state/checkpoints"
        os.makedirs(place)
        manager.wrapper = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs -o size=6m tmpfs {place} && exec "$@"', "sh"]
        manager.start()
        client, session = self.fill(manager)
        client.session("checkpoint_rm", checkpoint="before")
        client.run(session, "noise = noise[:1 << 20]")
        client.session("checkpoint", session, checkpoint="after", durable=True)
        self.assert_restores(client, "after", (2, MIB))
        client.close()
        manager.stop()

    def test_so_does_a_limit_on_the_size_of_files(self):
        manager = Manager().start()
        self.addCleanup(manager.kill)
        limit = 4 * MIB
        resource.prlimit(manager.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        client, session = self.fill(manager)
        resource.prlimit(manager.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        client.session("checkpoint", session, checkpoint="after", durable=True)
        self.assert_restores(client, "after", (2, 8 * MIB))
        client.close()
        manager.stop()


class KilledManager(DiskCase):
    def test_a_manager_that_is_killed_while_it_writes_leaves_whole_checkpoints_only(self):
        print(f"seed {SEED}, {KILLS} kills", file=sys.stderr)
        numbers = random.Random(SEED)
        manager = Manager().start()
        self.addCleanup(manager.kill)
        client = self.connect(manager)
        session = client.new()
        client.run(session, NOISE.format(1, 0))
        client.session("checkpoint", session, checkpoint="first", durable=True)
        expected, in_the_middle = {"first": (0, MIB)}, 0
        for kill in range(1, KILLS + 1):
            session = client.new()
            client.run(session, NOISE.format(16, kill))
            client.post_session("checkpoint", session, checkpoint=f"c{kill}", durable=True)
            in_the_middle += self.kill_at(manager, numbers.randrange(17 * MIB))
            client.close()
            manager.start()
            client = self.connect(manager)
            rows = client.session("checkpoint_ls")["checkpoints"]
            self.assertEqual([row["problem"] for row in rows if "problem" in row], [], f"kill {kill}")
            if f"c{kill}" in [row["name"] for row in rows]:
                expected[f"c{kill}"] = (kill, 16 * MIB)
            self.assertEqual(sorted(row["name"] for row in rows), sorted(expected), f"kill {kill}")
            self.assertEqual(self.files(manager), sorted(name + ".ckpt" for name in expected), f"kill {kill}")
            name = numbers.choice(list(expected))
            self.assert_restores(client, name, expected[name])
            if name != "first":
                client.session("checkpoint_rm", checkpoint=name)
                del expected[name]
        self.assertGreater(in_the_middle, 0, "no kill came in the middle")
        client.close()
        manager.stop()
        print(f"{KILLS} kills, {in_the_middle} in the middle of a file, 0 lost", file=sys.stderr)

    def kill_at(self, manager, bytes_written):
        """Kills it when the new file has so many bytes, or is whole. True: it was not."""
        directory = pathlib.Path(manager.directory, "state", "checkpoints", str(os.getuid()))
        before = len(list(directory.glob("*.ckpt")))

        def is_time():
            if len(list(directory.glob("*.ckpt"))) > before:
                return True
            try:
                return sum(part.stat().st_size for part in directory.glob(".part-*")) > bytes_written
            except FileNotFoundError:  # renamed meanwhile
                return False

        deadline = 30.0
        wait_for(is_time, deadline, "a checkpoint on its way")
        manager.process.kill()
        manager.process.wait()
        return bool(list(directory.glob(".part-*")))


@unittest.skipUnless(os.geteuid() == 0, "needs root to be two users")
class OtherUsers(ManagerCase):
    config = SMALL + SHARED
    owner, stranger = 2001, 2002

    def capsule(self, user, *words, **options):
        return self.manager.capsule(*words, **as_user(user), **options)

    def test_a_checkpoint_is_its_owners_until_it_is_exported(self):
        session = self.capsule(self.owner, "session", "new").out.decode().strip()
        self.assertEqual(self.capsule(self.owner, "exec", session, "-c", "x = 41").status, 0)
        for words in (("--name", "live"), ("--name", "kept", "--durable")):
            done = self.capsule(self.owner, "session", "checkpoint", session, *words)
            self.assertEqual(done.status, 0, done)
        for words in (("session", "undo", session), ("session", "restore", session, "live"),
                      ("session", "checkpoint", session, "--name", "mine"),
                      ("session", "checkpoint", session, "--name", "mine", "--durable"),
                      ("session", "ls-checkpoints", session), ("session", "rm-checkpoint", session, "live"),
                      ("checkpoints", "show", "kept"), ("checkpoints", "rm", "kept"), ("session", "new", "--from", "kept"),
                      ("checkpoints", "export", "kept", "-")):
            done = self.capsule(self.stranger, *words)
            self.assertEqual(done.status, 125, (words, done))
            self.assertRegex(done.err, b"there is no (session|checkpoint)", words)
        self.assertNotIn(b"kept", self.capsule(self.stranger, "checkpoints", "ls").out)
        exported = self.capsule(self.owner, "checkpoints", "export", "kept", "-")
        self.assertEqual(exported.status, 0, exported.err)
        imported = self.capsule(self.stranger, "checkpoints", "import", "-", "theirs", feed=exported.out)
        self.assertEqual(imported.status, 0, imported)
        copy = self.capsule(self.stranger, "session", "new", "--from", "theirs").out.decode().strip()
        self.assertEqual(self.capsule(self.stranger, "exec", copy, "-c", "print(x)").out, b"41\n")
        for user, words in ((self.owner, ("session", "rm", session)), (self.stranger, ("session", "rm", copy)),
                            (self.owner, ("checkpoints", "rm", "kept")), (self.stranger, ("checkpoints", "rm", "theirs"))):
            self.assertEqual(self.capsule(user, *words).status, 0, words)


class Strange(ManagerCase):
    def test_what_is_no_readable_file_is_listed_with_its_problem_and_costs_no_other(self):
        with BranchClient(self.manager.socket) as client:
            session = client.new()
            client.run(session, "x = 1")
            client.session("checkpoint", session, checkpoint="good", durable=True)
            client.session("rm", session)
            place = pathlib.Path(self.manager.directory, "state", "checkpoints", str(os.getuid()))
            (place / "link.ckpt").symlink_to("good.ckpt")
            (place / "folder.ckpt").mkdir()
            os.mkfifo(place / "pipe.ckpt")
            rows = {row["name"]: row for row in client.session("checkpoint_ls")["checkpoints"]}
            self.assertEqual(set(rows), {"good", "link", "folder", "pipe"})
            self.assertEqual({name for name, row in rows.items() if row.get("problem")}, {"link", "folder", "pipe"}, rows)
            for name in ("link", "folder", "pipe"):
                with self.assertRaises(Refused):
                    client.new(checkpoint=name)
            copy = client.new(checkpoint="good")
            self.assertEqual(client.run(copy, "x").result, "1")
            client.session("rm", copy)


if __name__ == "__main__":
    unittest.main()
