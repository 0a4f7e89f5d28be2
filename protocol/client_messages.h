// What clients ask besides runs: sessions, information, files, checkpoints, records. Included by message.h, which has
// the words.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/message_parts.h"

namespace capsule {

// What holds for every run of a session, as `execute` spells it; 0: the profile's.
struct SessionLimits {
  uint64_t timeout_ms = 0, cpu_ms = 0, memory_bytes = 0, output_bytes = 0;
  uint64_t processes = 0, open_files = 0, workspace_bytes = 0, workspace_files = 0;
  bool operator==(const SessionLimits&) const = default;
};

// client -> manager; answered by document or error.
struct SessionRequest {
  static constexpr std::string_view kType = "session";
  uint64_t id = 0;
  std::string operation;                       // see PROTOCOL.md
  std::string session;                         // new, fork: a name of the caller's choice, or empty; else which
  std::string profile;                         // new
  uint64_t idle_timeout_ms = 0;                // new; 0: the configured one
  SessionLimits limits;                        // new, fork
  std::map<std::string, std::string> secrets;  // new; variables of its programs, never shown again
  std::string rollback;                        // new, fork: always, idle, off; empty: the profile's
  uint64_t count = 0;                          // undo: runs; fork: copies
  std::string checkpoint;                      // its name
  std::string source;                          // fork, adopt: the other session
  bool durable = false;                        // checkpoint: written to disk too
  bool with_code = false;                      // checkpoint: with the code of the runs that led to it
  std::string notes;                           // checkpoint: the caller's own words
  std::string request_id;                      // as in execute
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
  std::string checkpoint;  // instead: a durable checkpoint, as a file
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

// client -> manager, answered by ack: a piece of an exported checkpoint. It is there, or refused, with the last one.
struct CheckpointPut {
  static constexpr std::string_view kType = "checkpoint_put";
  uint64_t id = 0;
  std::string name;
  uint64_t offset = 0;
  bool last = false;
  Bytes data;
  bool operator==(const CheckpointPut&) const = default;
};

// client -> manager: what was recorded of runs. `ls` and `show` are answered by document, `log` by record_data.
struct RecordRequest {
  static constexpr std::string_view kType = "record";
  uint64_t id = 0;
  std::string operation;  // see PROTOCOL.md
  std::string run_id;     // ls: only older runs than this one; else which
  uint32_t stream = 0;    // log: 1 stdout, 2 stderr
  uint64_t offset = 0;    // log: of the first byte wanted
  uint64_t count = 0;     // ls: runs at most; 0: kRecordRows
  bool operator==(const RecordRequest&) const = default;
};

struct RecordData {
  static constexpr std::string_view kType = "record_data";
  uint64_t re = 0;
  uint64_t bytes = 0;             // recorded of this stream so far
  uint64_t unrecorded_bytes = 0;  // written after them and not recorded
  bool finished = false;          // nothing more will come
  Bytes data;
  bool operator==(const RecordData&) const = default;
};

// client -> manager, answered by document: what happened to one run, and when.
struct TraceRequest {
  static constexpr std::string_view kType = "trace";
  uint64_t id = 0;
  std::string run_id;
  bool operator==(const TraceRequest&) const = default;
};

// client -> manager, answered by ack: tell this connection of each frame between the manager and this session's worker,
// from now on. Without `on`: no more.
struct Tap {
  static constexpr std::string_view kType = "tap";
  uint64_t id = 0;
  std::string session;
  bool on = false;
  bool operator==(const Tap&) const = default;
};

// manager -> client: one frame of a tapped session; what it is, never what is in it.
struct Tapped {
  static constexpr std::string_view kType = "tapped";
  std::string session;
  uint64_t seq = 0;  // of this tap; a gap is what the client was too slow for
  int64_t wall_us = 0;
  std::string direction;  // in: from the worker; out: to it
  std::string kind;       // its message type
  uint64_t bytes = 0;     // with its header
  std::string run_id;     // empty: of no run
  bool operator==(const Tapped&) const = default;
};

// client -> manager, answered by ack: nothing more is wanted of that run's files.
struct FileDone {
  static constexpr std::string_view kType = "file_done";
  uint64_t id = 0;
  std::string run_id;
  bool operator==(const FileDone&) const = default;
};

}  // namespace capsule
