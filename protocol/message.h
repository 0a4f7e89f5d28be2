// Every message of the wire as a plain struct; one variant holds them all. PROTOCOL.md has the same list with units,
// limits and who may send what. A field that equals its default is not sent.
//
// "client" is whoever uses the manager's socket; "parked" is a zygote or a keeper. Ids (`id`, `re`) are chosen by the
// asking side and only echoed; run ids are made by the manager.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/verdict.h"
#include "protocol/version.h"

namespace capsule {

// msgpack `bin`: bytes that are not claimed to be text.
struct Bytes {
  std::string value;
  bool operator==(const Bytes&) const = default;
};

using Bundle = std::map<std::string, Bytes>;  // MIME type -> representation

// One sandbox layer and what is known of it. state: "on", "off", "degraded".
struct Layer {
  std::string name, state, detail;
  bool operator==(const Layer&) const = default;
};

// A directory of the host that programs see read-only.
struct Mount {
  std::string source, target;  // both absolute; `target` as seen inside
  bool operator==(const Mount&) const = default;
};

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
  bool operator==(const Hello&) const = default;
};

// manager -> zygote, once, after hello: what to become.
struct Prepare {
  static constexpr std::string_view kType = "prepare";
  uint64_t id = 0;
  std::string profile;
  std::vector<std::string> preload;
  std::map<std::string, std::string> environment;
  std::string namespaces = "auto";  // auto, off
  uint64_t heartbeat_ms = 0;
  uint64_t workspace_bytes = 0;
  uint64_t workspace_files = 0;
  std::string network = "none";  // none, loopback, proxy
  bool subprocess = true;        // programs may start processes
  std::vector<Mount> mounts;
  std::vector<std::string> packages;  // directories: read-only at the same path, and importable before the preload
  uint64_t tmp_bytes = 0;             // 0: as workspace_bytes
  uint64_t shm_bytes = 0;             // 0: as workspace_bytes
  uint64_t memory_soft_bytes = 0;     // 0: no soft limit
  uint64_t processes = 0;             // 0: none of its own
  uint64_t open_files = 0;            // 0: as inherited
  bool own_users = false;             // the manager writes the id maps: see `mapped`
  bool operator==(const Prepare&) const = default;
};

// manager -> parked: fork a child that gets the descriptor sent along as its link. A zygote's child is a keeper,
// a keeper's child is a worker. With `cgroup` a second descriptor comes: the version 2 directory to be born into.
struct Branch {
  static constexpr std::string_view kType = "branch";
  uint64_t id = 0;
  std::string name;       // for people: shows up in the process list
  std::string workspace;  // a directory to use when no private one can be mounted
  uint32_t uid = 0;       // the capsule's own user and group (Prepare.own_users); 0: the zygote's
  bool cgroup = false;
  bool awaited = false;  // keepers: a run waits for this worker, which therefore starts without a rehearsal
  bool operator==(const Branch&) const = default;
};

// manager -> keeper, once, when Prepare.own_users: the id maps are written (or cannot be), go on.
struct Mapped {
  static constexpr std::string_view kType = "mapped";
  std::string failure;
  bool operator==(const Mapped&) const = default;
};

// parked -> manager, the answer; a pidfd of the child comes along when there is no failure.
struct Branched {
  static constexpr std::string_view kType = "branched";
  uint64_t re = 0;
  int64_t pid = 0;  // as the parked process sees it
  std::string failure;
  uint64_t took_us = 0;
  bool operator==(const Branched&) const = default;
};

// keeper -> manager: a child was reaped. Straight from wait4(2).
struct Exited {
  static constexpr std::string_view kType = "exited";
  int64_t pid = 0;
  int64_t status = 0;
  uint64_t user_us = 0, system_us = 0;
  uint64_t max_rss_bytes = 0;
  uint64_t minor_faults = 0, major_faults = 0;
  int32_t self_sent_signal = 0;  // the last one it sent to itself; then a death of it is its own doing
  bool operator==(const Exited&) const = default;
};

// manager -> keeper: end everything in the capsule but yourself. Answered by ack.
struct Sweep {
  static constexpr std::string_view kType = "sweep";
  uint64_t id = 0;
  bool operator==(const Sweep&) const = default;
};

// worker -> manager, every heartbeat_ms, whatever Python does.
struct Heartbeat {
  static constexpr std::string_view kType = "heartbeat";
  uint64_t seq = 0;
  uint64_t rss_bytes = 0;
  double cpu_percent = 0;  // since the last one; 100 is one core
  uint32_t threads = 0;
  uint64_t namespace_names = 0;
  uint64_t uptime_ms = 0;
  bool operator==(const Heartbeat&) const = default;
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
  bool operator==(const Execute&) const = default;
};

struct Accepted {
  static constexpr std::string_view kType = "accepted";
  uint64_t re = 0;
  std::string run_id;
  uint64_t queued_before = 0;  // runs of all clients ahead of it
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
  std::string session_state;         // kept, fresh, gone (sessions only)
  std::vector<Layer> layers;
  OutputCount output;
  uint64_t namespace_names = 0;
  uint64_t late_interrupts = 0;
  uint32_t left_threads = 0;
  bool awaited = false;
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
// interpreter does not keep them back.
struct Stack {
  static constexpr std::string_view kType = "stack";
  std::string run_id;
  Bytes text;  // as faulthandler writes it; from the worker only
  bool operator==(const Stack&) const = default;
};

// What holds for every run of a session, as `execute` spells it; 0: the profile's.
struct SessionLimits {
  uint64_t timeout_ms = 0, cpu_ms = 0, memory_bytes = 0, output_bytes = 0;
  bool operator==(const SessionLimits&) const = default;
};

// client -> manager; answered by document or error.
struct SessionRequest {
  static constexpr std::string_view kType = "session";
  uint64_t id = 0;
  std::string operation;                       // new, ls, rm, reset
  std::string session;                         // rm, reset; new: a name of the caller's choice, or empty
  std::string profile;                         // new
  uint64_t idle_timeout_ms = 0;                // new; 0: the configured one
  SessionLimits limits;                        // new
  std::map<std::string, std::string> secrets;  // new; variables of its programs, never shown again
  bool operator==(const SessionRequest&) const = default;
};

// client -> manager; answered by document.
struct InfoRequest {
  static constexpr std::string_view kType = "info";
  uint64_t id = 0;
  std::vector<std::string> sections;  // empty: all
  bool operator==(const InfoRequest&) const = default;
};

struct Document {
  static constexpr std::string_view kType = "document";
  uint64_t re = 0;
  Bytes json;
  bool operator==(const Document&) const = default;
};

// client -> manager, answered by ack: a piece of a file, kept for `execute` or `file_store` under a number of the
// client's choice. A path that was not the last one begins the next file.
struct FilePut {
  static constexpr std::string_view kType = "file_put";
  uint64_t id = 0;
  uint64_t upload = 0;
  Bytes path;
  bool executable = false;
  Bytes data;
  bool operator==(const FilePut&) const = default;
};

// client -> manager, answered by ack: write the files of an upload into a session's workspace.
struct FileStore {
  static constexpr std::string_view kType = "file_store";
  uint64_t id = 0;
  uint64_t upload = 0;
  std::string session;
  bool operator==(const FileStore&) const = default;
};

// client -> manager, answered by file_listing. With `run_id`: what that run wrote. With `session`: all of `path`.
struct FileList {
  static constexpr std::string_view kType = "file_list";
  uint64_t id = 0;
  std::string run_id, session;
  Bytes path;
  bool operator==(const FileList&) const = default;
};

struct FileEntry {
  Bytes path;
  uint64_t bytes = 0;
  bool executable = false;
  std::string skipped;  // why it cannot be had; empty when it can
  bool operator==(const FileEntry&) const = default;
};

struct FileListing {
  static constexpr std::string_view kType = "file_listing";
  uint64_t re = 0;
  std::vector<FileEntry> entries;
  std::string incomplete;  // the limit that ended the walk; empty: this is all
  bool operator==(const FileListing&) const = default;
};

// client -> manager, answered by file_data: the bytes from `offset` on, one chunk.
struct FileGet {
  static constexpr std::string_view kType = "file_get";
  uint64_t id = 0;
  std::string run_id, session;
  Bytes path;
  uint64_t offset = 0;
  bool operator==(const FileGet&) const = default;
};

struct FileData {
  static constexpr std::string_view kType = "file_data";
  uint64_t re = 0;
  uint64_t bytes = 0;   // of the whole file
  std::string version;  // another one in the next chunk: the file was changed or replaced meanwhile
  bool executable = false;
  Bytes data;
  bool operator==(const FileData&) const = default;
};

// client -> manager, answered by ack: nothing more is wanted of that run's files.
struct FileDone {
  static constexpr std::string_view kType = "file_done";
  uint64_t id = 0;
  std::string run_id;
  bool operator==(const FileDone&) const = default;
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

using Message = std::variant<Hello, Prepare, Branch, Branched, Mapped, Exited, Sweep, Heartbeat, Execute, Accepted,
                             Started, Output, Input, Credit, Display, ResultValue, Finished, Cancel, Stack,
                             SessionRequest, InfoRequest, Document, FilePut, FileStore, FileList, FileListing, FileGet,
                             FileData, FileDone, Ping, Ack, Shutdown, ErrorReply>;

std::string_view type_of(const Message& message);

}  // namespace capsule
