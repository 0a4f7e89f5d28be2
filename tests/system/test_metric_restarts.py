"""Series of zygotes, workers and managers that end and are replaced, and of a disk that takes nothing more."""
import os
import signal
import time
import unittest

from moves import UP, MovesCase
from processes import wait_for
from support import SMALL, Manager, finish, read_event


class ZygoteMovesTest(MovesCase):
    config = SMALL.replace("capsules = 1", "capsules = 1\nhealth_interval_s = 0.3", 1)  # heartbeats are slower than that

    def restarts(self, reason):
        return f'capsule_zygote_restarts_total{{profile="base",reason="{reason}"}}'

    def test_a_zygote_that_does_not_answer(self):
        def stop():
            self.manager.wait_settled()
            os.kill(self.manager.pool()["zygote_pid"], signal.SIGSTOP)
            self.run_ok("1")  # its worker is to be replaced

        self.assert_moves(stop, {self.restarts("unhealthy"): 1, self.restarts("died"): 0})

    def test_a_zygote_that_dies(self):
        self.assert_moves(lambda: os.kill(self.manager.pool()["zygote_pid"], signal.SIGKILL),
                          {self.restarts("died"): 1, self.restarts("unhealthy"): 0})

    def test_a_worker_that_does_not_answer_its_health_check(self):
        def stop():
            self.manager.wait_settled()
            worker = next(w for w in self.manager.info("workers")["workers"] if w["state"] == "idle")
            os.kill(worker["pid"], signal.SIGSTOP)

        self.assert_moves(stop, {
            'capsule_pool_health_checks_total{outcome="timed_out",profile="base"}': 1,
            'capsule_pool_health_checks_total{outcome="failed",profile="base"}': 0,
            'capsule_workers_recycled_total{profile="base",reason="unhealthy"}': 1,
        })


class LifeMovesTest(MovesCase):
    config = SMALL.replace("warm = 2", "warm = 1\nmax = 1", 1)

    def busy(self):
        child = self.manager.spawn("run", "--events", "-c", "print(1, flush=True); input()")
        read_event(child, "output")
        return child

    def test_a_reload_with_another_content(self):
        def reload():
            self.manager.config_file.write_text(self.config + "[profiles.base.environment]\nCOLOUR = \"blue\"\n")
            self.manager.signal(signal.SIGHUP)

        self.assert_moves(reload, {
            'capsule_zygote_restarts_total{profile="base",reason="reload"}': 1,
            'capsule_zygote_restarts_total{profile="base",reason="died"}': 0,
        })

    def test_z_shutdown_and_what_the_next_manager_makes_of_a_sudden_end(self):
        """Last: it ends the manager of this class, twice."""
        child = self.busy()
        self.manager.signal(signal.SIGKILL)
        self.manager.wait_gone()
        finish(child)
        self.manager.start()
        type(self).address = self.manager.info("manager")["manager"]["http"]
        self.assertEqual(self.value("capsule_records_aborted_total"), 1)
        running, waiting = self.busy(), self.manager.spawn("run", "-c", "1")
        wait_for(lambda: self.manager.info("queue")["queue"]["depth"] == 1, 20, "a run that waits")
        for _ in range(2):
            self.manager.signal(signal.SIGTERM)
            time.sleep(0.05)
        wait_for(lambda: self.value("capsule_cancels_total", reason="shutdown") == 2, 5, "both runs are counted")
        for child in (running, waiting):
            self.assertEqual(finish(child).status, 125)
        self.assertEqual(self.manager.wait_gone(), 1)
        self.manager.start()
        type(self).address = self.manager.info("manager")["manager"]["http"]
        self.manager.wait_settled()


class FullDiskMovesTest(MovesCase):
    """No file may have more than so many bytes: what is written beyond is an error, and not the manager's end."""

    FILE_BYTES = 60_000

    @classmethod
    def setUpClass(cls):
        cls.manager = Manager(cls.config, cls.arguments)
        cls.manager.wrapper = ["prlimit", f"--fsize={cls.FILE_BYTES}"]
        cls.addClassCleanup(cls.manager.kill)
        cls.manager.start()
        cls.address = cls.manager.info("manager")["manager"]["http"]

    @classmethod
    def tearDownClass(cls):
        cls.manager.stop()

    def test_output_that_cannot_be_recorded(self):
        self.assert_moves(lambda: self.run_ok("print('x' * 999_999)"), {
            'capsule_record_appends_lost_total{what="content"}': UP,
            'capsule_runs_total{profile="base",verdict="ok"}': 1,
        })

    def test_a_run_that_cannot_be_recorded(self):
        path = f"{self.manager.directory}/long.py"
        with open(path, "w") as file:
            file.write("#" * 2 * self.FILE_BYTES)
        self.assert_moves(lambda: self.manager.run(path), {
            'capsule_record_appends_lost_total{what="accepted"}': 1,
            'capsule_queue_rejected_total{reason="records_behind"}': 1,
            'capsule_runs_accepted_total{profile="base"}': 0,
        })

    def test_an_audit_log_that_cannot_be_written(self):
        def fill():
            with self.manager.raw(60) as client:
                client.hello()
                for number in range(300):
                    client.send({"type": "cancel", "id": number + 1, "run_id": "none"})
                    client.receive_of("error")

        self.assert_moves(fill, {'capsule_audit_records_lost_total{log="audit"}': UP,
                                 "capsule_cancels_without_effect_total": 300})


if __name__ == "__main__":
    unittest.main()
