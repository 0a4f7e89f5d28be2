#include "tests/unit/protocol/samples.h"

#include <string_view>

namespace capsule {
namespace {

constexpr std::string_view kRun = "019a5c3e-7b10-7000-8000-0123456789ab";

Hello full_hello() {
  return {.version = 1,
          .role = "worker",
          .software = "capsule/0.1.0",
          .features = {"display", "interrupt"},
          .python = "3.11.2",
          .profile = "data",
          .layers = {{.name = "landlock", .state = "on", .detail = "ABI 7"}},
          .timings_us = {{"fork", 850}, {"preload", 412'000}},
          .failure = "no module named 'numpy'",
          .not_captured = {"a-socket"}};
}

Prepare full_prepare() {
  return {.id = 1,
          .profile = "data",
          .preload = {"json", "numpy"},
          .environment = {{"LANG", "C.UTF-8"}, {"MPLBACKEND", "Agg"}},
          .namespaces = "auto",
          .heartbeat_ms = 5000,
          .workspace_bytes = 268'435'456,
          .workspace_files = 10'000,
          .network = "loopback",
          .subprocess = true,
          .mounts = {{.source = "/srv/data", .target = "/data"}},
          .packages = {"/opt/venv/lib/python3.11/site-packages"},
          .tmp_bytes = 67'108'864,
          .shm_bytes = 33'554'432,
          .memory_soft_bytes = 536'870'912,
          .processes = 64,
          .open_files = 256,
          .own_users = true};
}

Exited full_exited() {
  return {.pid = 42,
          .status = 11,
          .user_us = 1500,
          .system_us = 700,
          .max_rss_bytes = 31'457'280,
          .minor_faults = 900,
          .major_faults = 2,
          .self_sent_signal = 11};
}

Heartbeat full_heartbeat() {
  return {
      .seq = 7, .rss_bytes = 41'943'040, .cpu_percent = 99.5, .threads = 3, .namespace_names = 12, .uptime_ms = 35'000};
}

Execute full_execute() {
  return {.id = 5,
          .run_id = std::string(kRun),
          .session = "notebook-1",
          .profile = "base",
          .mode = "cell",
          .code = {"print('h\xC3\xA9')\n"},
          .filename = "first.py",
          .arguments = {"--size", "3"},
          .standard_input = true,
          .timeout_ms = 2000,
          .output_bytes = 65'536,
          .output_policy = "truncate",
          .cpu_ms = 1500,
          .memory_bytes = 134'217'728,
          .require = {"netns", "seccomp"},
          .environment = {{"TOKEN", "t0k3n"}},
          .upload = 3,
          .artifacts = true,
          .rollback = "always",
          .processes = 8,
          .open_files = 64,
          .workspace_bytes = 1'048'576,
          .workspace_files = 100,
          .request_id = "req-7",
          .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"};
}

Output full_output() {
  return {.run_id = std::string(kRun), .stream = 2, .seq = 9, .offset = 4096, .late = true, .data = {"\xFFraw\n"}};
}

Display full_display() {
  return {.id = 3,
          .run_id = std::string(kRun),
          .display_id = "progress",
          .update = true,
          .data = {{"image/png", {"\x89PNG"}}, {"text/plain", {"<Figure>"}}},
          .metadata_json = R"({"image/png":{"width":640}})"};
}

ResultValue full_result() {
  return {.run_id = std::string(kRun),
          .execution_count = 4,
          .data = {{"text/html", {"<b>2</b>"}}, {"text/plain", {"2"}}},
          .metadata_json = "{}"};
}

Evidence full_evidence() {
  return {.signal = 9,
          .exit_code = 3,
          .limit = "wall_ms=2000",
          .rung = "kill",
          .detail = "did not react to the interrupt within 1 s",
          .last_output = {"working...\n"},
          .stack = {"MainThread:\n  File \"first.py\", line 3, in work\n"},
          .stack_missing = "the worker did not answer",
          .oom_kills = 1,
          .session_state = "rolled_back",
          .rollback = Rollback{.snapshot = "snapshot-3",
                               .took_us = 900,
                               .lost_runs = {std::string(kRun)},
                               .not_captured = {"descriptor 5: a socket"}},
          .fallback = Fallback{.snapshot = "snapshot-2",
                               .lost_runs = {std::string(kRun)},
                               .lost_run_count = 1,
                               .refused = "2 threads are running"},
          .layers = {{.name = "root", .state = "degraded", .detail = "no user namespaces"}},
          .output = {.stdout_bytes = 1000,
                     .stderr_bytes = 20,
                     .enqueued_bytes = 900,
                     .dropped_bytes = 120,
                     .chunks = 4,
                     .deepest_queue_bytes = 512,
                     .pending_bytes = 64},
          .namespace_names = 12,
          .late_interrupts = 1,
          .left_threads = 2,
          .awaited = true,
          .blocking_calls = 2,
          .retry = true};
}

Finished full_finished() {
  return {.run_id = std::string(kRun),
          .verdict = Verdict::kTimeout,
          .exit_status = 124,
          .error = RaisedError{.name = "ValueError",
                               .value = "no",
                               .traceback = {"Traceback (most recent call last):\n", "ValueError: no\n"}},
          .evidence = full_evidence(),
          .usage = {.wall_us = 2'001'000,
                    .cpu_user_us = 1'900'000,
                    .cpu_system_us = 30'000,
                    .queue_us = 250,
                    .peak_memory_bytes = 52'428'800,
                    .minor_faults = 1200,
                    .major_faults = 1}};
}

SessionRequest full_session() {
  return {.id = 8,
          .operation = "new",
          .session = "notebook-1",
          .profile = "data",
          .idle_timeout_ms = 60'000,
          .limits = {.timeout_ms = 5000,
                     .cpu_ms = 2000,
                     .memory_bytes = 268'435'456,
                     .output_bytes = 65'536,
                     .processes = 8,
                     .open_files = 64,
                     .workspace_bytes = 1'048'576,
                     .workspace_files = 100},
          .secrets = {{"TOKEN", "t0k3n"}},
          .rollback = "idle",
          .count = 3,
          .checkpoint = "before-train",
          .source = "notebook-0",
          .durable = true,
          .with_code = true,
          .notes = "after the split",
          .request_id = "req-7"};
}

template <class T>
void add(std::vector<Sample>& list, T full) {
  list.push_back({std::string(T::kType) + "-minimal", T{}});
  list.push_back({std::string(T::kType) + "-full", std::move(full)});
}

std::vector<Sample> make_samples() {
  const std::string run(kRun);
  std::vector<Sample> list;
  add(list, full_hello());
  add(list, full_prepare());
  add(list, Branch{.id = 2,
                   .name = "data-17",
                   .workspace = "/var/lib/capsule/work/17",
                   .uid = 61'003,
                   .awaited = true,
                   .nested = true,
                   .ahead = true});
  add(list,
      Branched{
          .re = 2, .pid = 42, .failure = "clone3: EAGAIN", .took_us = 900, .not_captured = {"descriptor 5: a socket"}});
  add(list, Expect{.pid = 7, .nested = true, .withdrawn = true});
  add(list, Snapshot{.id = 3, .pid = 43});
  add(list, Nested{});
  add(list, Wake{.name = "worker-17", .fresh = true});
  add(list, Mapped{.failure = "write uid_map: Operation not permitted"});
  add(list, full_exited());
  add(list, Sweep{.id = 6, .wake = 43});
  add(list, Resize{.id = 7, .workspace_bytes = 1'048'576, .workspace_files = 100});
  add(list, Metric{.run_id = run, .name = "llm_tokens", .kind = "counter", .value = 17, .labels = {{"model", "m"}}});
  add(list, full_heartbeat());
  add(list, full_execute());
  add(list, Accepted{.re = 5,
                     .run_id = run,
                     .queued_before = 2,
                     .request_id = "req-7",
                     .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"});
  add(list, Started{.run_id = run, .queue_us = 250, .lease = "hit"});
  add(list, full_output());
  add(list, Input{.run_id = run, .data = {"a line\n"}, .eof = true});
  add(list, Credit{.run_id = run, .bytes = 65'536});
  add(list, full_display());
  add(list, full_result());
  add(list, full_finished());
  add(list, Cancel{.id = 10, .run_id = run});
  add(list, Stack{.id = 22, .run_id = run, .text = {"Thread 0x7f (most recent call first):\n"}});
  add(list, Checkpoint{.id = 18,
                       .leave_out = {{"model", "pickling it ended the process"}},
                       .timeout_ms = 60'000,
                       .stall_timeout_ms = 10'000,
                       .bytes_max = 1'073'741'824});
  add(list, Restore{.id = 19});
  add(list, Report{.re = 18, .json = {R"({"names":3})"}, .failure = "the pipe was closed"});
  add(list, full_session());
  add(list, InfoRequest{.id = 11, .sections = {"pools", "queue"}});
  add(list, Document{.re = 11, .json = {R"({"v":1})"}});
  add(list, FilePut{.id = 13, .upload = 3, .path = {"lib/b.py"}, .executable = true, .data = {"b = 1\n"}});
  add(list, FileStore{.id = 14, .upload = 3, .session = "notebook-1"});
  add(list, FileList{.id = 15, .run_id = run, .session = "notebook-1", .path = {"lib"}});
  add(list, FileListing{.re = 15,
                        .entries = {{.path = {"out\xC3.csv"}, .bytes = 12, .executable = true},
                                    {.path = {"link"}, .skipped = "a symbolic link"}},
                        .incomplete = "more than 4096 files"});
  add(list, FileGet{.id = 16,
                    .run_id = run,
                    .session = "notebook-1",
                    .checkpoint = "before-train",
                    .path = {"out.csv"},
                    .offset = 262'144});
  add(list, FileData{.re = 16, .bytes = 262'150, .version = "7-100-100", .executable = true, .data = {"a,b\n1,"}});
  add(list, CheckpointPut{.id = 20, .name = "before-train", .offset = 262'144, .last = true, .data = {"CAPS"}});
  add(list, RecordRequest{.id = 21, .operation = "log", .run_id = run, .stream = 2, .offset = 4096, .count = 50});
  add(list, RecordData{.re = 21, .bytes = 4102, .unrecorded_bytes = 7, .finished = true, .data = {"ready\n"}});
  add(list, TraceRequest{.id = 23, .run_id = run});
  add(list, Inspect{.id = 24, .session = "notebook-1", .hashed = true});
  add(list, Tap{.id = 25, .session = "notebook-1", .on = true});
  add(list, Tapped{.session = "notebook-1",
                   .seq = 3,
                   .wall_us = 1'790'000'000'000'000,
                   .direction = "in",
                   .kind = "finished",
                   .bytes = 240,
                   .run_id = run});
  add(list, FileDone{.id = 17, .run_id = run});
  add(list, Ping{.id = 12, .execute = true});
  add(list, Ack{.re = 12, .detail = "done"});
  add(list, Shutdown{.reason = "the manager is stopping"});
  add(list, ErrorReply{.re = 5, .code = "unavailable", .message = "the queue is full (queue.capacity = 1024)"});
  return list;
}

}  // namespace

const std::vector<Sample>& samples() {
  static const std::vector<Sample> kSamples = make_samples();
  return kSamples;
}

}  // namespace capsule
