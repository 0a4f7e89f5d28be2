#include "manager/observe/audit_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "base/posix_io.h"
#include "protocol/audit_file.h"

namespace capsule {
namespace {

constexpr size_t kHeadFileBytes = 256;

std::string padded(uint64_t sequence) {
  const std::string digits = std::to_string(sequence);
  return std::string(20 - digits.size(), '0') + digits;
}

std::optional<AuditHead> read_head(const std::string& path) {
  auto text = read_file(path, kHeadFileBytes);
  if (!text) return std::nullopt;
  while (text->ends_with('\n')) text->pop_back();
  const auto head = audit_head_from_string(*text);
  return head ? std::optional(*head) : std::nullopt;
}

}  // namespace

AuditFile::AuditFile(std::string directory, std::string name, AuditFileLimits limits, Stamp stamp)
    : directory_(std::move(directory)), name_(std::move(name)), limits_(limits), stamp_(std::move(stamp)) {}

Result<AuditFile> AuditFile::open(std::string directory, std::string name, AuditFileLimits limits, Stamp stamp) {
  AuditFile log(std::move(directory), std::move(name), limits, std::move(stamp));
  if (const Status taken = log.take_over(); !taken) return tl::unexpected<Error>(taken.error());
  return log;
}

// Goes on where the last manager stopped.
Status AuditFile::take_over() {
  const std::string current = path(".jsonl");
  const auto kept = read_head(path(".head"));
  AuditCheck check(kept);
  auto found = check_audit_file(current, check);
  if (!found && found.error().code == Errc::kSystem) return tl::unexpected<Error>(found.error());
  const bool is_missing = !found && found.error().code == Errc::kNotFound;
  if (is_missing || (found && check.lines() == 0)) {  // none yet, or killed between two files
    added_ = written_ = kept.value_or(AuditHead{});
    return begin_file(written_.sequence == 0 ? "first" : "next");
  }
  const Status whole = found ? check.end() : Status(tl::unexpected<Error>(found.error()));
  if (!whole) {
    finding_ = "the log did not hold together and was set aside: " + whole.error().message;
    const bool kept_is_later = kept && kept->sequence > check.head().sequence;
    added_ = written_ = kept_is_later ? *kept : check.head();
    const std::string aside = path(".damaged-" + padded(written_.sequence) + ".jsonl");
    if (std::rename(current.c_str(), aside.c_str()) != 0) return system_failure("rename " + current);
    return begin_file("after_damage");
  }
  file_ = UniqueFd(::open(current.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (!file_) return system_failure("open " + current);
  added_ = written_ = check.head();
  first_sequence_ = check.lines_before() + 1;
  size_bytes_ = found->whole_bytes;
  if (found->torn_bytes == 0) return {};
  finding_ = std::to_string(found->torn_bytes) + " bytes of a line that was never finished were taken off";
  if (ftruncate(file_.get(), static_cast<off_t>(size_bytes_)) != 0) return system_failure("truncate " + current);
  add("file.mended", stamp_() + ",\"torn_bytes\":" + std::to_string(found->torn_bytes));
  return flush();
}

Status AuditFile::begin_file(std::string_view why) {
  const std::string current = path(".jsonl");
  file_ = UniqueFd(::open(current.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file_) return system_failure("open " + current);
  first_sequence_ = written_.sequence + 1;
  add(kAuditFileBegin, stamp_() + ",\"why\":\"" + std::string(why) + "\"");
  return flush();
}

void AuditFile::add(std::string_view action, std::string_view fields) {
  say_lost();
  pending_ += make_audit_line(added_, action, fields);
  pending_ += '\n';
  ++pending_lines_;
}

void AuditFile::say_lost() {
  if (lost_unsaid_ == 0) return;
  being_said_ = std::exchange(lost_unsaid_, 0);
  add("lines.lost", stamp_() + ",\"lines\":" + std::to_string(being_said_));
}

void AuditFile::note_lost(uint64_t lines) {
  lost_ += lines;
  lost_unsaid_ += lines;
}

Status AuditFile::flush() {
  if (pending_lines_ == 0) say_lost();
  if (pending_lines_ == 0) return {};
  const Status done = write_all(file_.get(), pending_);
  if (!done) {
    (void)!ftruncate(file_.get(), static_cast<off_t>(size_bytes_));  // a part of a line, if it stays, is mended at open
    added_ = written_;
    const uint64_t lost = pending_lines_ - (being_said_ > 0 ? 1 : 0);
    lost_ += lost;
    lost_unsaid_ += lost + being_said_;
  } else {
    written_ = added_;
    size_bytes_ += pending_.size();
    bytes_ += pending_.size();
    lines_ += pending_lines_;
    is_dirty_ = true;
  }
  pending_.clear();
  pending_lines_ = being_said_ = 0;
  if (!done || size_bytes_ < limits_.file_bytes) return done;
  return cut();
}

Status AuditFile::sync() {
  if (!std::exchange(is_dirty_, false)) return {};
  if (fdatasync(file_.get()) != 0) return system_failure("sync " + path(".jsonl"));
  const std::string part = path(".head.part");
  const UniqueFd head(::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!head) return system_failure("open " + part);
  if (const Status done = write_all(head.get(), to_string(written_) + "\n"); !done) return done;
  if (std::rename(part.c_str(), path(".head").c_str()) != 0) return system_failure("rename " + part);
  return {};
}

// The next file has its first line before it takes the name: whatever fails, the current one can be written on.
Status AuditFile::cut() {
  if (const Status done = sync(); !done) return done;
  const std::string next_path = path(".next");
  UniqueFd next(::open(next_path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!next) return system_failure("open " + next_path);
  AuditHead head = written_;
  const std::string begin = make_audit_line(head, kAuditFileBegin, stamp_() + ",\"why\":\"size\"") + "\n";
  if (const Status done = write_all(next.get(), begin); !done) return done;
  const std::string current = path(".jsonl"), old = path("-" + padded(first_sequence_) + ".jsonl");
  if (std::rename(current.c_str(), old.c_str()) != 0) return system_failure("rename " + current);
  if (std::rename(next_path.c_str(), current.c_str()) != 0) {
    const auto failed = system_failure("rename " + next_path);
    (void)std::rename(old.c_str(), current.c_str());
    return failed;
  }
  file_ = std::move(next);
  added_ = written_ = head;
  first_sequence_ = head.sequence;
  size_bytes_ = begin.size();
  bytes_ += begin.size();
  ++lines_;
  is_dirty_ = true;
  remove_oldest();
  return {};
}

void AuditFile::remove_oldest() const {
  std::vector<std::string> old;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, error)) {
    const std::string file = entry.path().filename().string();
    if (file.starts_with(name_ + "-") && file.ends_with(".jsonl")) old.push_back(file);
  }
  std::sort(old.begin(), old.end());
  for (size_t i = 0; i + limits_.files < old.size(); ++i) std::filesystem::remove(directory_ + "/" + old[i], error);
}

}  // namespace capsule
