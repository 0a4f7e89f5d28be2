// Who did what to what, and what became of it: the audit log, and beside it the decisions of admission. Both are chains
// of lines (audit_file.h) in a directory of their own.
//
// Records hold words of ours and the names of things (runs, sessions, checkpoints, keys), never code, output, paths,
// variables or the text of an error: those can hold what their owner wants to keep to himself.
//
// record() is for the loop's thread and never waits: records go through a queue of at most kQueuedRecords to a thread
// that writes them some milliseconds later, together, and syncs at most once a second. So a manager that is killed
// loses at most what the last kGatherTime brought, and a power failure what the last second brought. When the queue is
// full or the disk takes nothing, records are lost, counted, and the log says how many when it goes on. A directory
// that is removed meanwhile is made again with the next record, as long as the one it was in is there.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "manager/observe/audit_file.h"
#include "manager/observe/labels.h"
#include "manager/observe/seldom.h"

namespace capsule {

struct AuditRecord {
  std::string_view action = {};       // a word of ours: run.submit
  std::string_view object_kind = {};  // a word of ours: run, session; empty: the manager itself
  std::string object = {};            // its id
  std::string_view outcome = {};      // a word of ours: ok, a verdict, an Errc, allowed, tightened, refused
  std::optional<uint32_t> uid = {};   // who asked; none: the manager itself, or whoever has the key
  std::string key = {};               // the name of an API key
  std::string request_id = {};        // empty: none was given
  std::string_view reason = {};       // decisions: a word of ours
  std::string profile = {};           // decisions; of a configured profile
};

struct AuditOptions {
  std::string directory;                             // its parent has to exist; empty: there are no logs
  uint64_t file_bytes = 0, decision_file_bytes = 0;  // where a file is cut; 0: that log is not kept
  uint64_t files = 1;
};

class AuditLog {
 public:
  static constexpr size_t kQueuedRecords = 8192;
  static constexpr milliseconds kGatherTime{5};
  static constexpr size_t kDirectories = 16;  // for managers that share a state directory
  static constexpr size_t kTextBytes = 256;   // longer ids are cut

  struct Totals {
    uint64_t written = 0, bytes = 0, lost = 0, damages = 0;
    AuditHead head;
    bool is_failing = false;  // what comes now is lost
    bool operator==(const Totals&) const = default;
  };

  // Keeps nothing.
  AuditLog() = default;
  ~AuditLog() { close(); }
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // Once. What it had to mend is a warning in the manager's log. Checks the whole current file: 64 MiB in 0.2 s.
  Status open(const AuditOptions& options);
  bool is_kept(label::AuditLogKind kind) const { return files_[static_cast<size_t>(kind)].has_value(); }
  void record(label::AuditLogKind kind, AuditRecord record);
  // Writes and syncs what is queued, and ends the thread. Heads are final from here on.
  void close();

  Totals totals(label::AuditLogKind kind) const;
  size_t queued() const;
  const std::string& directory() const { return directory_; }

 private:
  struct Queued {
    label::AuditLogKind kind;
    int64_t wall_ms;
    int64_t monotonic_us;
    AuditRecord record;
  };

  Status take_directory(const std::string& wanted);
  Status keep_directory();
  Status open_files(const AuditOptions& options, const std::array<uint64_t, 2>& file_bytes);
  void run();
  void write(std::vector<Queued>& records);
  void sync();
  void publish();
  void flush(size_t index);
  void tell(size_t index, const Status& done);

  std::string directory_;
  UniqueFd lock_;                                                                // of the directory: one writer
  std::array<std::optional<AuditFile>, label::kAllAuditLogKinds.size()> files_;  // the thread's once it runs
  std::array<bool, label::kAllAuditLogKinds.size()> is_failing_{};               // the same
  std::array<Seldom, label::kAllAuditLogKinds.size()> complaints_{};             // the same

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<Queued> queue_;
  std::array<uint64_t, label::kAllAuditLogKinds.size()> overflowed_{};
  std::array<Totals, label::kAllAuditLogKinds.size()> totals_{};
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace capsule
