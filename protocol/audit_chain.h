// The chain that ties the lines of an audit log together, as the manager writes it and `capsule audit verify` checks
// it. Pure: lines in, lines out.
//
// Each line is a JSON object that begins with its sequence number (from 1 on, without gaps), the SHA-256 of the line
// before it (64 zeros before the first) and its action:
//   {"seq":2,"prev":"9f86…","action":"run.submit",…}
// What is hashed is the line without its newline. The *head* is the number and the hash of the last line: whoever keeps
// a head elsewhere can tell later whether anything up to it was changed, left out, moved or cut off. Without one, only
// the end of a log can be forged (or all of it, by whoever computes every hash anew).
//
// A log is cut into files. Each begins with a line of the action "file.begin", which occurs nowhere else, so that lines
// missing at the start of a file are noticed too; sequence and hashes go on from file to file. That line says why there
// is a new file; with kAuditAfterDamage it stands where the manager found that lines before it are changed or gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/result.h"

namespace capsule {

inline constexpr std::string_view kAuditFileBegin = "file.begin";
inline constexpr std::string_view kAuditAfterDamage = "after_damage";
inline constexpr size_t kAuditLineBytes = 16 * 1024;  // of one line; the manager writes far shorter ones

struct AuditHead {
  uint64_t sequence = 0;  // 0: nothing was written yet
  Digest digest{};
  bool operator==(const AuditHead&) const = default;
};

std::string to_string(const AuditHead& head);  // "12:9f86…"
Result<AuditHead> audit_head_from_string(std::string_view text);

// The next line, without its newline, and the head that it makes. `action` is a word of ours; `fields` are the rest of
// the object: empty, or `"name":value,…`.
std::string make_audit_line(AuditHead& head, std::string_view action, std::string_view fields);

// Checks the lines of one log, file by file, in order. The first problem is final.
class AuditCheck {
 public:
  // `expected`: a head that was kept; it has to be the head of a line of this log. `first`: the sequence of the first
  // line there has to be; 0: any, since old files may be gone.
  explicit AuditCheck(std::optional<AuditHead> expected = {}, uint64_t first = 0)
      : expected_(expected), first_(first) {}

  void begin_file() { at_file_begin_ = true; }
  Status line(std::string_view line);  // without its newline
  Status end() const;                  // the expected head was passed

  const AuditHead& head() const { return head_; }
  uint64_t lines() const { return lines_; }
  // Lines before the first one given here, in files that are not here.
  uint64_t lines_before() const { return lines_before_; }
  // The first line that says that lines before it were damaged; 0: none does.
  uint64_t damage_said() const { return damage_said_; }

 private:
  Status check_expected() const;

  std::optional<AuditHead> expected_;
  uint64_t first_;
  AuditHead head_;
  uint64_t lines_ = 0, lines_before_ = 0, damage_said_ = 0;
  bool at_file_begin_ = false;
};

}  // namespace capsule
