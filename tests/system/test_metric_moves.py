"""Each series that runs and sessions move, moved by one: what is done, and by how much the next scrape differs."""
import os
import signal
import unittest

from moves import UP, MovesCase
from processes import wait_for
from support import SMALL, finish, last_event, read_event
from test_limits import FILL, layer

MIB = 1 << 20
BUSY = "import time; print(1, flush=True); time.sleep(60)"

# A snapshot of its own for each of three versions of 30 MB, in a session that may have 128.
CROWD = "x = bytearray({0}) * (30 << 20)"

LATE = ("import threading, time\ndef later():\n    time.sleep(0.3)\n    print('too late', flush=True)\n"
        "threading.Thread(target=later, daemon=True).start()\nprint('in time')")


class RunMovesTest(MovesCase):
    config = SMALL.replace("capsules = 1", "capsules = 1\nhealth_interval_s = 0.3", 1) + """
[worker]
heartbeat_interval_s = 0.2
[run]
grace_s = 0.3
[records]
max_runs = 20
"""

    def run_one(self):
        self.run_ok("print('x')")

    def test_a_run(self):
        self.assert_moves(self.run_one, {
            'capsule_runs_accepted_total{profile="base"}': 1,
            'capsule_runs_total{profile="base",verdict="ok"}': 1,
            "capsule_run_duration_seconds_count": 1,
            "capsule_run_queue_wait_seconds_count": 1,
            'capsule_pool_acquire_seconds_count{profile="base"}': 1,
            'capsule_pool_warmup_triggers_total{profile="base"}': 1,
            'capsule_workers_recycled_total{profile="base",reason="used"}': 1,
            'capsule_worker_spawn_seconds_count{step="branch_capsule"}': UP,
            'capsule_worker_spawn_seconds_count{step="capsule_setup"}': UP,
            'capsule_worker_spawn_seconds_count{step="branch_worker"}': UP,
            'capsule_worker_spawn_seconds_count{step="warm_up"}': UP,
            'capsule_output_chunks_total{stream="stdout"}': 1,
            "capsule_output_enqueued_chunks_total": 1,
            "capsule_output_enqueued_bytes_total": 2,
            "capsule_output_sent_chunks_total": 1,
            "capsule_output_sent_bytes_total": 2,
            "capsule_output_dropped_bytes_total": 0,
            'capsule_client_connections_total{outcome="accepted"}': UP,
            'capsule_record_appends_total{what="accepted"}': 1,
            'capsule_record_appends_total{what="finished"}': 1,
            'capsule_record_append_bytes_total{what="accepted"}': UP,
            'capsule_record_append_bytes_total{what="finished"}': UP,
            'capsule_audit_records_total{log="audit"}': UP,
            'capsule_audit_records_total{log="decisions"}': UP,
            'capsule_audit_bytes_total{log="audit"}': UP,
            'capsule_audit_bytes_total{log="decisions"}': UP,
            'capsule_admission_decisions_total{decision="allowed"}': 1,
            'capsule_http_requests_total{code="2xx",method="GET",route="/metrics"}': UP,
            "capsule_http_request_seconds_count": UP,
        })
        self.assertGreater(self.value("capsule_pool_acquire_max_seconds", profile="base"), 0)
        self.assertGreater(self.value("capsule_record_bytes"), 0)

    def test_audit_records_on_their_way(self):
        def burst():  # the queue is written some milliseconds after its first record: some look comes before that
            with self.manager.raw() as client:
                client.hello()
                for number in range(50):
                    client.send({"type": "cancel", "id": number + 1, "run_id": "none"})
                seen = self.value("capsule_audit_queue_records")
                for _ in range(50):
                    client.receive_of("error")
            return seen > 0

        wait_for(burst, 60, "records in the queue")
        wait_for(lambda: self.value("capsule_audit_queue_records") == 0, 20, "an empty queue")

    def test_a_run_with_more_output_than_is_written_with_its_end(self):
        self.assert_moves(lambda: self.run_ok("print('x' * 999_999)"), {
            'capsule_record_appends_total{what="content"}': UP,
            'capsule_record_append_bytes_total{what="content"}': UP,
            'capsule_output_bytes_total{stream="stdout"}': 1_000_000,
            "capsule_output_sent_bytes_total": 1_000_000,
        })

    def test_a_run_that_is_under_way(self):
        child = self.manager.spawn("run", "--events", "-c", "print(1, flush=True); input()")
        read_event(child, "output")
        self.assertEqual(self.value("capsule_runs_in_progress"), 1)
        finish(child, feed=b"\n")
        wait_for(lambda: self.value("capsule_runs_in_progress") == 0, 10, "no run in progress")

    def test_heartbeats_and_health_checks_go_on_by_themselves(self):
        self.assert_moves(lambda: None, {
            "capsule_heartbeats_total": UP,
            'capsule_pool_health_triggers_total{profile="base"}': UP,
            'capsule_pool_health_checks_total{outcome="ok",profile="base"}': UP,
            'capsule_pool_health_checks_total{outcome="timed_out",profile="base"}': 0,
        })

    def test_a_worker_that_stops_in_a_run(self):
        def stop():
            child = self.manager.spawn("run", "--events", "-c", "print('up', flush=True); input()")
            run_id = read_event(child, "output")["run_id"]
            worker = next(w for w in self.manager.info("workers")["workers"] if w["run_id"] == run_id)
            os.kill(worker["pid"], signal.SIGSTOP)
            self.assertEqual(last_event(child)["verdict"], "worker_lost")

        self.assert_moves(stop, {
            "capsule_heartbeat_suspects_total": 1,
            "capsule_heartbeat_losses_total": 1,
            'capsule_runs_total{profile="base",verdict="worker_lost"}': 1,
            'capsule_workers_recycled_total{profile="base",reason="killed"}': 1,
        })

    def test_a_run_whose_files_do_not_fit_has_no_duration(self):
        path = f"{self.manager.directory}/large"
        with open(path, "wb") as file:
            file.write(b"x" * (3 * MIB))
        self.assert_moves(lambda: self.manager.run_code("1", "--workspace", "2M", "--file", f"{path}=data"), {
            'capsule_runs_total{profile="base",verdict="rejected"}': 1,
            "capsule_run_duration_seconds_count": 0,
            "capsule_run_duration_seconds_sum": 0,
            "capsule_run_queue_wait_seconds_count": 0,
        })

    def test_output_over_the_limit(self):
        self.assert_moves(
            lambda: self.manager.run_code("print('x' * 998)", "--output-limit", "10", "--output-policy", "truncate"), {
                "capsule_output_dropped_bytes_total": 989,
                "capsule_output_dropped_chunks_total": UP,
                "capsule_output_enqueued_bytes_total": 10,
                "capsule_output_sent_bytes_total": 10,
            })

    def test_a_cancel_of_nothing(self):
        self.assert_moves(lambda: self.manager.capsule("cancel", "no-such-run"), {
            "capsule_cancels_without_effect_total": 1,
            'capsule_cancels_total{reason="cancel"}': 0,
        })

    def test_an_interrupt_that_comes_too_late(self):
        """When one does is in tests/unit/python/interrupt_test.py: here a program says so in the name of its worker."""
        self.assert_moves(lambda: self.run_ok("import _capsule_interrupt; _capsule_interrupt._late = 2"),
                          {"capsule_interrupts_late_total": 2})

    def test_records_end_at_their_number(self):
        for _ in range(20):
            self.run_one()
        self.assert_moves(lambda: [self.run_one() for _ in range(20)], {"capsule_records_expired_total": UP})
        wait_for(lambda: 10 <= self.value("capsule_records") <= 20, 10, "as many as are kept")

    def test_lines_of_the_log(self):
        session = self.new_session()
        self.assert_moves(lambda: self.manager.capsule("session", "rm", session), {
            'capsule_log_messages_total{level="info"}': UP,
            'capsule_log_messages_total{level="error"}': 0,
            'capsule_sessions_closed_total{reason="removed"}': 1,
        })


class SessionMovesTest(MovesCase):
    config = SMALL + "[limits]\nmemory_bytes = 134217728\n"

    def state(self, session):
        return next(s for s in self.manager.info("sessions")["sessions"] if s["session"] == session)

    def need_groups(self, why):
        found = layer(self.manager.run_code("1"), "cgroup")
        if found["state"] != "on":
            self.skipTest(f"control groups cannot be had here, and {why}: {found['detail']}")

    def wait_snapshot(self, session, name):
        wait_for(lambda: self.state(session)["fallback"] == name, 20, name)

    def test_a_session_that_takes_a_snapshot_and_goes_back_to_it(self):
        sessions = []

        def begin():
            sessions.append(self.new_session())
            self.manager.exec(sessions[0], "x = 1")

        self.assert_moves(begin, {
            'capsule_sessions{state="ready"}': 1,
            'capsule_snapshots_parked{kind="snapshot"}': 1,
            'capsule_snapshots_total{outcome="taken"}': 1,
            "capsule_snapshot_seconds_count": 1,
        })
        self.assert_moves(lambda: self.manager.exec(sessions[0], "import os; os._exit(1)"), {
            'capsule_rollbacks_total{to="snapshot"}': 1,
            "capsule_rollback_seconds_count": 1,
            'capsule_rollbacks_total{to="fresh"}': 0,
        })
        self.assert_moves(
            lambda: self.manager.capsule("session", "checkpoint", sessions[0], "--name", "a"),
            {'capsule_snapshots_parked{kind="checkpoint"}': 1})
        child = self.manager.spawn("exec", "--events", sessions[0], "-c", BUSY)
        run_id = read_event(child, "output")["run_id"]
        self.assertEqual(self.value("capsule_sessions", state="busy"), 1)
        self.assertEqual(self.manager.capsule("cancel", run_id).status, 0)
        finish(child)

    def test_a_session_whose_program_has_threads(self):
        session = self.new_session()
        code = "import threading, time\nthreading.Thread(target=time.sleep, args=(3,), daemon=True).start()"
        self.assert_moves(lambda: self.manager.exec(session, code), {'capsule_snapshots_total{outcome="refused"}': UP})

    def test_a_session_that_fills_its_memory_with_copies(self):
        self.need_groups("without one a jump past the limit ends the run before a copy is given up")
        session = self.new_session()

        def crowd():
            for number in range(3):
                self.manager.exec(session, CROWD.format(bytes([65 + number])))
                self.wait_snapshot(session, f"snapshot-{number + 1}")
            self.manager.exec(session, "import time\nfor i in range(0, len(x), 4096): x[i] = 1\ntime.sleep(1)")

        self.assert_moves(crowd, {"capsule_snapshots_evicted_total": UP})

    def test_what_comes_after_its_run_ended_is_late_and_sent_no_more_often_than_queued(self):
        session = self.new_session()

        def late():
            with self.manager.raw() as client:
                client.hello()
                client.execute(LATE, session=session, mode="cell")
                while not client.receive_of("output").get("late"):
                    pass

        self.assert_moves(late, {
            "capsule_output_late_bytes_total": 9,
            "capsule_output_enqueued_bytes_total": 17,
            "capsule_output_sent_bytes_total": 17,
        })

    def test_files_go_in_and_out(self):
        session = self.new_session()
        path = f"{self.manager.directory}/file"
        with open(path, "wb") as file:
            file.write(b"x" * 1000)
        self.assert_moves(lambda: self.manager.capsule("cp", path, f"{session}:file"),
                          {'capsule_file_bytes_total{direction="received"}': 1000})
        self.assert_moves(lambda: self.manager.capsule("cp", f"{session}:file", f"{path}.back"),
                          {'capsule_file_bytes_total{direction="sent"}': 1000})
        self.assert_moves(
            lambda: self.manager.run_code("import os; os.symlink('file', 'link')", "--artifacts", f"{path}.all"),
            {"capsule_files_skipped_total": 1})

    def test_memory_that_the_kernel_refuses(self):
        self.need_groups("nothing else tells who the kernel ended")
        self.assert_moves(lambda: self.manager.run_code(FILL, "--memory", "100M"), {
            'capsule_sandbox_denials_total{mechanism="memory"}': UP,
            'capsule_cancels_total{reason="client_gone"}': 0,
        })


if __name__ == "__main__":
    unittest.main()
