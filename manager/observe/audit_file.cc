#include "manager/observe/audit_file.h"

#include <fcntl.h>
#include <sys/stat.h>
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

// kNotFound: none was kept yet.
Result<AuditHead> read_head(const std::string& path) {
  if (access(path.c_str(), F_OK) != 0) return failure(Errc::kNotFound, "there is no " + path);
  auto text = read_regular_file(path, kHeadFileBytes);
  if (!text) return tl::unexpected<Error>(text.error());
  while (text->ends_with('\n')) text->pop_back();
  return audit_head_from_string(*text);
}

// In the place of what an earlier manager left; nobody can have put anything there to write to.
UniqueFd make_new(const std::string& path, int how) {
  (void)unlink(path.c_str());
  return UniqueFd(::open(path.c_str(), how | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
}

bool is_same(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

}  // namespace

AuditFile::AuditFile(std::string directory, std::string name, AuditFileLimits limits, Stamp stamp)
    : directory_(std::move(directory)), name_(std::move(name)), limits_(limits), stamp_(std::move(stamp)) {}

Result<AuditFile> AuditFile::open(std::string directory, std::string name, AuditFileLimits limits, Stamp stamp,
                                  AuditHistory history) {
  AuditFile log(std::move(directory), std::move(name), limits, std::move(stamp));
  if (const Status taken = log.take_over(history); !taken) return tl::unexpected<Error>(taken.error());
  return log;
}

// Goes on where the last manager stopped.
Status AuditFile::take_over(AuditHistory history) {
  const std::string current = path(".jsonl");
  const auto read = read_head(path(".head"));
  const std::optional<AuditHead> kept = read ? std::optional(*read) : std::nullopt;
  if (!read && read.error().code != Errc::kNotFound) {
    ++damages_;
    finding_ = path(".head") + " cannot be used, the log was not compared with it: " + read.error().message;
  }
  AuditCheck check(kept);
  auto found = check_audit_file(current, check);
  if (!found && found.error().code == Errc::kSystem) return tl::unexpected<Error>(found.error());
  const bool is_missing = !found && found.error().code == Errc::kNotFound;
  if (is_missing || (found && check.lines() == 0)) return begin_after(kept, history);
  const Status whole = found ? check.end() : Status(tl::unexpected<Error>(found.error()));
  if (!whole) {
    const bool kept_is_later = kept && kept->sequence > check.head().sequence;
    added_ = written_ = kept_is_later ? *kept : check.head();
    if (const Status done = set_aside("the log did not hold together and was set aside: " + whole.error().message);
        !done) {
      return done;
    }
    return begin_file(kAuditAfterDamage);
  }
  file_ = UniqueFd(::open(current.c_str(), O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC));
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

// There is no line in the current file. A manager that was killed between two files leaves the one before it, and its
// end is the head; else lines are gone, unless there never were any.
Status AuditFile::begin_after(const std::optional<AuditHead>& kept, AuditHistory history) {
  const std::vector<std::string> before = cut_off_files();
  if (!kept && before.empty() && history == AuditHistory::kUnknown) return begin_file("first");
  AuditCheck check(kept);
  Status whole = before.empty() ? Status(failure(Errc::kNotFound, "there is no file before it")) : Status();
  if (!before.empty()) {
    const auto end = check_audit_file(directory_ + "/" + before.back(), check);
    whole = end ? check.end() : Status(tl::unexpected<Error>(end.error()));
    if (whole && (!kept || end->torn_bytes > 0)) whole = failure(Errc::kInvalid, "there is no head to tell how many");
  }
  const bool kept_is_later = kept && kept->sequence > check.head().sequence;
  added_ = written_ = kept_is_later ? *kept : check.head();
  if (whole) return begin_file("next");
  ++damages_;
  finding_ = path(".jsonl") + " was taken away, and its lines with it: " + whole.error().message;
  return begin_file(kAuditAfterDamage);
}

Status AuditFile::begin_file(std::string_view why) {
  if (const Status opened = open_file(why); !opened) return opened;
  const Status written = flush();
  return written && damages_ > 0 ? sync() : written;  // a head from before the damage does not fit what comes now
}

// With its first line pending.
Status AuditFile::open_file(std::string_view why) {
  const std::string current = path(".jsonl");
  file_ = UniqueFd(::open(current.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC, 0600));
  if (!file_) return system_failure("open " + current);
  size_bytes_ = 0;
  first_sequence_ = written_.sequence + 1;
  append_line(kAuditFileBegin, stamp_() + ",\"why\":\"" + std::string(why) + "\"");
  return {};
}

Status AuditFile::set_aside(const std::string& finding) {
  ++damages_;
  finding_ = finding;
  const std::string current = path(".jsonl"), aside = path(".damaged-" + padded(written_.sequence) + ".jsonl");
  if (std::rename(current.c_str(), aside.c_str()) != 0) return system_failure("rename " + current);
  return {};
}

// Whoever cleans up or rotates files of others may have taken it: what is written to it then is lost unseen.
Status AuditFile::keep_place() {
  const std::string current = path(".jsonl");
  struct stat held {
  }, there{};
  const bool is_held = file_ && fstat(file_.get(), &held) == 0;
  const bool is_there = stat(current.c_str(), &there) == 0;
  const bool is_as_left = static_cast<uint64_t>(held.st_size) == size_bytes_;
  if (is_held && is_there && is_same(held, there) && is_as_left) {
    return size_bytes_ > 0 ? Status() : open_file(kAuditAfterDamage);  // not even its first line could be written
  }
  file_.reset();
  if (is_there) {
    if (const Status done = set_aside(current + " was changed while it was written, and set aside"); !done) return done;
  }
  const Status opened = open_file(kAuditAfterDamage);
  if (opened && !is_there) {
    ++damages_;
    finding_ = current + " was removed while it was written: a new one goes on";
  }
  return opened;
}

void AuditFile::add(std::string_view action, std::string_view fields) {
  if (pending_lines_ == 0) place_ = keep_place();
  say_lost();
  append_line(action, fields);
}

void AuditFile::append_line(std::string_view action, std::string_view fields) {
  pending_ += make_audit_line(added_, action, fields);
  pending_ += '\n';
  ++pending_lines_;
}

void AuditFile::say_lost() {
  if (lost_unsaid_ == 0) return;
  being_said_ = std::exchange(lost_unsaid_, 0);
  append_line("lines.lost", stamp_() + ",\"lines\":" + std::to_string(being_said_));
}

void AuditFile::note_lost(uint64_t lines) {
  lost_ += lines;
  lost_unsaid_ += lines;
}

Status AuditFile::flush() {
  if (pending_lines_ == 0 && lost_unsaid_ > 0) {
    place_ = keep_place();
    say_lost();
  }
  if (pending_lines_ == 0) return {};
  const Status done = place_ ? write_all(file_.get(), pending_) : place_;
  if (!done) {
    if (file_) (void)!ftruncate(file_.get(), static_cast<off_t>(size_bytes_));  // else a part of a line stays
    added_ = written_;
    const uint64_t ours = (being_said_ > 0 ? 1 : 0) + (place_ && size_bytes_ == 0 ? 1 : 0);
    const uint64_t lost = pending_lines_ - ours;
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
  place_ = {};
  if (!done || size_bytes_ < limits_.file_bytes) return done;
  return cut();
}

Status AuditFile::sync() {
  if (!file_ || !std::exchange(is_dirty_, false)) return {};
  if (fdatasync(file_.get()) != 0) return system_failure("sync " + path(".jsonl"));
  const std::string part = path(".head.part");
  const UniqueFd head = make_new(part, O_WRONLY);
  if (!head) return system_failure("open " + part);
  if (const Status done = write_all(head.get(), to_string(written_) + "\n"); !done) return done;
  if (std::rename(part.c_str(), path(".head").c_str()) != 0) return system_failure("rename " + part);
  return {};
}

// The next file has its first line before it takes the name: whatever fails, the current one can be written on.
Status AuditFile::cut() {
  if (const Status done = sync(); !done) return done;
  const std::string next_path = path(".next");
  UniqueFd next = make_new(next_path, O_WRONLY | O_APPEND);
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

// Their names, the oldest first.
std::vector<std::string> AuditFile::cut_off_files() const {
  std::vector<std::string> old;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, error)) {
    const std::string file = entry.path().filename().string();
    if (file.starts_with(name_ + "-") && file.ends_with(".jsonl")) old.push_back(file);
  }
  std::sort(old.begin(), old.end());
  return old;
}

void AuditFile::remove_oldest() const {
  const std::vector<std::string> old = cut_off_files();
  std::error_code error;
  for (size_t i = 0; i + limits_.files < old.size(); ++i) std::filesystem::remove(directory_ + "/" + old[i], error);
}

}  // namespace capsule
