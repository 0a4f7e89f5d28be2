"""Records of runs whose files were damaged or taken away."""
import json
import shutil
import signal
import stat
import unittest
import urllib.request

from processes import wait_for
from support import Manager
from test_records import folder_of, inspect, listed, records_of


class Repaired(unittest.TestCase):
    def setUp(self):
        self.manager = Manager(arguments=("--http", "127.0.0.1:0"))
        self.addCleanup(self.manager.kill)
        self.manager.start()

    def health(self):
        address = self.manager.info("manager")["manager"]["http"]
        with urllib.request.urlopen(f"http://{address}/health", timeout=20) as answer:
            return json.load(answer)

    def test_an_index_that_is_damaged_is_made_again_at_the_start(self):
        runs = [self.manager.run_code(f"print({number})")["run_id"] for number in range(3)]
        before = inspect(self.manager, runs[1])
        self.manager.signal(signal.SIGTERM)
        self.assertEqual(self.manager.wait_gone(), 0)
        index = records_of(self.manager) / "index.sqlite"
        index.write_bytes(b"no database at all" * 1000)
        self.manager.start()
        self.assertNotIn("runs are not recorded", str(self.manager.info("manager")["manager"]["degraded"]))
        self.assertIn("set aside", self.manager.log())
        self.assertEqual(set(listed(self.manager)), set(runs))
        self.assertEqual(inspect(self.manager, runs[1]), before)
        self.assertTrue((records_of(self.manager) / "index.damaged.sqlite").exists())
        run = self.manager.run_code("1")["run_id"]
        self.assertEqual(inspect(self.manager, run)["verdict"], "ok")
        self.manager.stop()

    def test_directories_of_runs_that_are_removed_under_a_manager_are_made_again(self):
        self.manager.run_code("1")
        shutil.rmtree(records_of(self.manager) / "runs")
        run = self.manager.run_code("print('kept')")["run_id"]
        self.assertEqual(inspect(self.manager, run)["verdict"], "ok")
        self.assertEqual((folder_of(self.manager, run) / "stdout.txt").read_text(), "kept\n")
        self.assertEqual(self.manager.capsule("logs", run).out, b"kept\n")
        self.assertEqual(self.health()["state"], "ready")
        self.manager.stop()

    def test_records_that_could_not_be_opened_at_the_start_are_kept_once_they_can(self):
        before = self.manager.run_code("1")["run_id"]
        self.manager.signal(signal.SIGTERM)
        self.assertEqual(self.manager.wait_gone(), 0)
        log = records_of(self.manager) / "log"
        log.rename(log.with_name("elsewhere"))
        log.write_text("in the way")
        self.manager.start()
        self.assertIn("runs are not recorded", str(self.manager.info("manager")["manager"]["degraded"]))
        self.manager.run_code("2")
        log.unlink()
        log.with_name("elsewhere").rename(log)
        wait_for(lambda: "runs are not recorded" not in str(self.manager.info("manager")["manager"]["degraded"]),
                 what="records")
        run = self.manager.run_code("3")["run_id"]
        self.assertEqual(set(listed(self.manager)), {before, run})
        self.assertEqual(inspect(self.manager, run)["verdict"], "ok")
        self.manager.stop()

    def test_records_are_for_their_owner_only(self):
        self.manager.run_code("1")
        for name, mode in (("", 0o700), ("index.sqlite", 0o600), ("runs", 0o700), ("log", 0o700)):
            self.assertEqual(stat.S_IMODE((records_of(self.manager) / name).stat().st_mode), mode, name)
        self.manager.stop()


if __name__ == "__main__":
    unittest.main()
