// One audit log on the disk: lines in, with their chain (protocol/audit_chain.h), in files that are cut at a size.
//   <name>.jsonl              what is being written
//   <name>-<first seq>.jsonl  what was cut off, twenty digits, so that names sort; the oldest are removed
//   <name>.head               the head at the latest sync, for who checks the log
// For one thread. What a killed manager left half-written is taken off at open(), and the next line says so. A log that
// does not hold together is set aside as <name>.damaged-<seq>.jsonl, and a new file goes on from the last known head;
// so it does for a log that was taken away, at open() or while it is written (removed, replaced, cut: looked for before
// the first line of each flush). A FIFO or a device in the place of a file is no log, and never waited for. The first
// line of such a file says "why":"after_damage".
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "protocol/audit_chain.h"

namespace capsule {

struct AuditFileLimits {
  uint64_t file_bytes = 64u << 20;  // a file is cut once it is larger
  uint64_t files = 16;              // cut-off ones that are kept; at least 1
};

// Whether somebody knows that a log was kept here, though nothing of it is there.
enum class AuditHistory { kUnknown, kKept };

class AuditFile {
 public:
  // `stamp` makes the time fields of lines of its own.
  using Stamp = std::function<std::string()>;
  static Result<AuditFile> open(std::string directory, std::string name, AuditFileLimits limits, Stamp stamp,
                                AuditHistory history = AuditHistory::kUnknown);

  // Nothing is on its way to the disk before flush().
  void add(std::string_view action, std::string_view fields);
  // So many more lines never came here: the next flush says so.
  void note_lost(uint64_t lines);
  // Writes what was added. On an error none of it was written, and it is forgotten: lost() counts it, and the next line
  // says how many. Then cuts the file, if it is due; it grows on when it cannot be.
  Status flush();
  // What was flushed survives a power failure from here on.
  Status sync();

  AuditHead head() const { return written_; }
  uint64_t lines() const { return lines_; }  // written since open()
  uint64_t bytes() const { return bytes_; }
  uint64_t lost() const { return lost_; }
  uint64_t damages() const { return damages_; }  // how often the log was not as it had been left, since open()
  bool has_pending() const { return pending_lines_ > 0 || lost_unsaid_ > 0; }
  // What had to be mended since the last call, for people; or empty.
  std::string take_finding() { return std::exchange(finding_, {}); }

 private:
  AuditFile(std::string directory, std::string name, AuditFileLimits limits, Stamp stamp);
  void append_line(std::string_view action, std::string_view fields);
  void say_lost();
  Status take_over(AuditHistory history);
  Status begin_after(const std::optional<AuditHead>& kept, AuditHistory history);
  Status begin_file(std::string_view why);
  Status open_file(std::string_view why);
  Status keep_place();
  Status set_aside(const std::string& finding);
  Status cut();
  Status switch_to(UniqueFd next, const std::string& begin_line);
  std::vector<std::string> cut_off_files() const;
  void remove_oldest() const;
  std::string path(std::string_view ending) const { return directory_ + "/" + name_ + std::string(ending); }

  std::string directory_, name_;
  AuditFileLimits limits_;
  Stamp stamp_;
  UniqueFd file_;
  uint64_t size_bytes_ = 0, first_sequence_ = 1;
  AuditHead written_, added_;
  std::string pending_;
  uint64_t pending_lines_ = 0, lines_ = 0, bytes_ = 0, lost_ = 0, lost_unsaid_ = 0, being_said_ = 0;
  bool is_dirty_ = false;
  uint64_t damages_ = 0;
  Status place_;  // of what is pending: whether there is a file for it
  std::string finding_;
};

}  // namespace capsule
