// Every message of the wire as a plain struct; one variant holds them all. PROTOCOL.md has the same list with units,
// limits and who may send what. A field that equals its default is not sent.
//
// "client" is whoever uses the manager's socket; "parked" is a zygote, a keeper or a snapshot. Ids (`id`, `re`) are
// chosen by the asking side and only echoed; run ids are made by the manager.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/client_messages.h"
#include "protocol/message_parts.h"
#include "protocol/process_messages.h"
#include "protocol/verdict.h"
#include "protocol/version.h"

namespace capsule {

// First frame of both ends on every connection. With network "proxy" a keeper's comes with one descriptor: a TCP
// socket that listens inside the capsule.
struct Hello {
  static constexpr std::string_view kType = "hello";
  int version = 0;
  std::string role;  // client, manager, zygote, keeper, worker
  std::string software;
  Features features;
  std::string python;   // "3.11.2" (parked and workers)
  std::string profile;  // (parked and workers)
  std::vector<Layer> layers;
  std::map<std::string, uint64_t> timings_us;  // named steps of its own start
  std::string failure;                         // why it cannot serve; empty when it can
  std::vector<std::string> not_captured;       // keepers of capsules inside: files that were not copied
  bool operator==(const Hello&) const = default;
};

// client -> manager: run this. manager -> worker: run this now (run_id set; stdout and stderr, and stdin when
// `stdin` is set, come along as descriptors in that order).
struct Execute {
  static constexpr std::string_view kType = "execute";
  uint64_t id = 0;
  std::string run_id;
  std::string session;          // empty: one-shot
  std::string profile;          // one-shot only; empty: the default one
  std::string mode = "script";  // script: __main__ of a program; cell: one more cell of a session
  Bytes code;
  std::string filename;                            // as tracebacks show it
  std::vector<std::string> arguments;              // sys.argv[1:]
  bool standard_input = false;                     // the client will send `input`; else end-of-file at once
  uint64_t timeout_ms = 0;                         // 0: the profile's
  uint64_t output_bytes = 0;                       // 0: the profile's
  std::string output_policy;                       // block, truncate, stop; empty: the profile's
  uint64_t cpu_ms = 0;                             // 0: the session's or the profile's
  uint64_t memory_bytes = 0;                       // 0: the session's or the profile's
  std::vector<std::string> require;                // layers that must be on
  std::map<std::string, std::string> environment;  // manager -> worker only: the session's secrets
  uint64_t upload = 0;                             // files that are put into the workspace first; 0: none
  bool artifacts = false;                          // what it writes can be listed and read until file_done
  std::string rollback;                            // always, idle, off; empty: the session's
  uint64_t processes = 0, open_files = 0;          // 0: the session's or the profile's
  uint64_t workspace_bytes = 0;                    // 0: the session's or the profile's
  uint64_t workspace_files = 0;                    // 0: the session's or the profile's
  std::string request_id;                          // the caller's name for this request; empty: the manager makes one
  std::string traceparent;                         // W3C trace context of the caller; empty: a trace begins here
  bool operator==(const Execute&) const = default;
};

struct Accepted {
  static constexpr std::string_view kType = "accepted";
  uint64_t re = 0;
  std::string run_id;
  uint64_t queued_before = 0;           // runs of all clients ahead of it
  std::string request_id, traceparent;  // as they are now; traceparent names the run's own span
  bool operator==(const Accepted&) const = default;
};

struct Started {
  static constexpr std::string_view kType = "started";
  std::string run_id;
  uint64_t queue_us = 0;
  std::string lease;  // hit, miss, session
  bool operator==(const Started&) const = default;
};

// manager -> client. `data` is last on the wire.
struct Output {
  static constexpr std::string_view kType = "output";
  std::string run_id;
  uint32_t stream = 0;  // 1 stdout, 2 stderr
  uint64_t seq = 0;     // per run, over both streams
  uint64_t offset = 0;  // of the first byte, per stream; dropped bytes count
  bool late = false;    // written after that run had finished
  Bytes data;
  bool operator==(const Output&) const = default;
};

struct Input {
  static constexpr std::string_view kType = "input";
  std::string run_id;
  Bytes data;
  bool eof = false;
  bool operator==(const Input&) const = default;
};

// manager -> client: this many more bytes of `input` may be sent.
struct Credit {
  static constexpr std::string_view kType = "credit";
  std::string run_id;
  uint64_t bytes = 0;
  bool operator==(const Credit&) const = default;
};

// worker -> manager -> client: a barrier; what was printed before arrives before. The manager acks `id`.
struct Display {
  static constexpr std::string_view kType = "display";
  uint64_t id = 0;
  std::string run_id;
  std::string display_id;
  bool update = false;
  Bundle data;
  std::string metadata_json;
  bool operator==(const Display&) const = default;
};

// worker -> manager -> client: the value of the last expression. A barrier.
struct ResultValue {
  static constexpr std::string_view kType = "result";
  std::string run_id;
  uint64_t execution_count = 0;
  Bundle data;
  std::string metadata_json;
  bool operator==(const ResultValue&) const = default;
};

struct RaisedError {
  std::string name, value;
  std::vector<std::string> traceback;  // lines, the user's frames only
  bool operator==(const RaisedError&) const = default;
};

struct OutputCount {
  uint64_t stdout_bytes = 0, stderr_bytes = 0;  // written by the program
  uint64_t enqueued_bytes = 0, dropped_bytes = 0;
  uint64_t chunks = 0;
  uint64_t deepest_queue_bytes = 0;
  uint64_t pending_bytes = 0;  // not yet sent when this was written
  bool operator==(const OutputCount&) const = default;
};

// What a session went back to when its worker was lost.
struct Rollback {
  std::string snapshot;                   // which one; empty: none was left, the namespace is a fresh one
  uint64_t took_us = 0;                   // from the worker's end to the session's readiness
  std::vector<std::string> lost_runs;     // finished ones whose effects went too, oldest first
  std::vector<std::string> not_captured;  // what the snapshot did not have
  bool operator==(const Rollback&) const = default;
};

// What a session would go back to if its worker were lost in the next run.
struct Fallback {
  std::string snapshot;                // empty: none, all would be lost
  std::vector<std::string> lost_runs;  // what would be lost with it, oldest first; the latest 64
  uint64_t lost_run_count = 0;
  std::string refused;  // why the latest snapshot could not be taken
  bool operator==(const Fallback&) const = default;
};

struct Evidence {
  int32_t signal = 0;
  std::optional<int32_t> exit_code;  // of the process, when it ended
  std::string limit;                 // which one was hit: "wall_ms=2000"
  std::string rung;                  // what ended it: interrupt, kill
  std::string detail;                // one sentence for people
  Bytes last_output;                 // for runs that did not end by themselves
  Bytes stack;                       // Python's, of all threads, when it was stopped; the same runs
  std::string stack_missing;         // why there is none although it was stopped
  uint64_t oom_kills = 0;            // processes of the capsule that the kernel ended for memory during the run
  std::string session_state;         // kept, rolled_back, fresh, gone (sessions only)
  std::optional<Rollback> rollback;  // rolled_back and fresh
  std::optional<Fallback> fallback;  // sessions
  std::vector<Layer> layers;
  OutputCount output;
  uint64_t namespace_names = 0;
  uint64_t late_interrupts = 0;
  uint32_t left_threads = 0;
  bool awaited = false;
  uint32_t blocking_calls = 0;  // noticed in top-level async code
  bool retry = false;
  bool operator==(const Evidence&) const = default;
};

struct Usage {
  uint64_t wall_us = 0, cpu_user_us = 0, cpu_system_us = 0, queue_us = 0;
  uint64_t peak_memory_bytes = 0;
  uint64_t minor_faults = 0, major_faults = 0;
  bool operator==(const Usage&) const = default;
};

// worker -> manager: a claim (ok, exception, exit or cancelled only). manager -> client: the verdict. A barrier.
struct Finished {
  static constexpr std::string_view kType = "finished";
  std::string run_id;
  Verdict verdict = Verdict::kInternalError;
  int32_t exit_status = 0;
  std::optional<RaisedError> error;
  Evidence evidence;
  Usage usage;
  bool operator==(const Finished&) const = default;
};

// client -> manager: by run id. manager -> worker: rung 1 of the ladder.
struct Cancel {
  static constexpr std::string_view kType = "cancel";
  uint64_t id = 0;
  std::string run_id;
  bool operator==(const Cancel&) const = default;
};

// manager -> worker: tell Python's stacks. worker -> manager: here they are; sent by the link thread, so that a stuck
// interpreter does not keep them back. client -> manager: the same of a run that goes on; answered by document.
struct Stack {
  static constexpr std::string_view kType = "stack";
  uint64_t id = 0;  // client -> manager
  std::string run_id;
  Bytes text;  // as faulthandler writes it; from the worker only
  bool operator==(const Stack&) const = default;
};

// client -> manager: what is in a session's namespace, never the values; answered by document. manager -> worker:
// answered by report.
struct Inspect {
  static constexpr std::string_view kType = "inspect";
  uint64_t id = 0;
  std::string session;  // client -> manager
  bool hashed = false;  // manager -> worker: names as hashes
  bool operator==(const Inspect&) const = default;
};

// Either way. With `execute` a worker answers only after its interpreter has run a statement.
struct Ping {
  static constexpr std::string_view kType = "ping";
  uint64_t id = 0;
  bool execute = false;
  bool operator==(const Ping&) const = default;
};

struct Ack {
  static constexpr std::string_view kType = "ack";
  uint64_t re = 0;
  std::string detail;
  bool operator==(const Ack&) const = default;
};

// manager -> parked, worker, client: the end is near; nothing new.
struct Shutdown {
  static constexpr std::string_view kType = "shutdown";
  std::string reason;
  bool operator==(const Shutdown&) const = default;
};

// The answer to a request that could not be taken. `re` 0: the connection itself is at fault and will be closed.
struct ErrorReply {
  static constexpr std::string_view kType = "error";
  uint64_t re = 0;
  std::string code;  // an Errc word
  std::string message;
  bool operator==(const ErrorReply&) const = default;
};

using Message =
    std::variant<Hello, Prepare, Branch, Branched, Expect, Snapshot, Nested, Wake, Mapped, Exited, Sweep, Resize,
                 Metric, Heartbeat, Execute, Accepted, Started, Output, Input, Credit, Display, ResultValue, Finished,
                 Cancel, Stack, Checkpoint, Restore, Report, SessionRequest, InfoRequest, Document, FilePut, FileStore,
                 FileList, FileListing, FileGet, FileData, CheckpointPut, RecordRequest, RecordData, TraceRequest,
                 Inspect, Tap, Tapped, FileDone, Ping, Ack, Shutdown, ErrorReply>;

std::string_view type_of(const Message& message);

}  // namespace capsule
