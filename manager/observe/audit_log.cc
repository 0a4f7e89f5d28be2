#include "manager/observe/audit_log.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/posix_io.h"
#include "manager/observe/log.h"

namespace capsule {
namespace {

constexpr seconds kSyncInterval{1};
constexpr const char* kKeptFile = "kept";
constexpr size_t kKeptFileBytes = 256;

std::string quoted(std::string_view text) {
  return nlohmann::json(text.substr(0, AuditLog::kTextBytes))
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string time_fields(int64_t wall_ms, int64_t monotonic_us) {
  return "\"time\":\"" + format_utc(wall_ms) + "\",\"monotonic_us\":" + std::to_string(monotonic_us);
}

// kConflict: another manager keeps its logs there.
Result<UniqueFd> lock_directory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return system_failure("make " + path);
  UniqueFd lock(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock) return system_failure("open " + path);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return system_failure("lock " + path);
  return failure(Errc::kConflict, "another manager keeps audit logs in " + path);
}

// Which logs the last manager kept, a name each line: of one that goes with its head nothing else would tell.
std::string read_kept(const std::string& directory) {
  return read_regular_file(directory + "/" + kKeptFile, kKeptFileBytes).value_or("");
}

Status write_kept(const std::string& directory, const std::string& names) {
  const std::string path = directory + "/" + kKeptFile, part = path + ".part";
  (void)unlink(part.c_str());
  const UniqueFd file(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return system_failure("open " + part);
  if (const Status done = write_all(file.get(), names); !done) return done;
  return std::rename(part.c_str(), path.c_str()) == 0 ? Status() : Status(system_failure("rename " + part));
}

int64_t monotonic_us_now() { return to_microseconds(now().time_since_epoch()); }

std::string fields_of(int64_t wall_ms, int64_t monotonic_us, const AuditRecord& record) {
  std::string text = time_fields(wall_ms, monotonic_us);
  const auto add = [&text](std::string_view name, std::string_view value) {
    if (!value.empty()) text.append(",\"").append(name).append("\":").append(quoted(value));
  };
  if (record.uid) text += ",\"uid\":" + std::to_string(*record.uid);
  add("key", record.key);
  if (!record.object.empty()) add("object", std::string(record.object_kind) + ":" + record.object);
  add("profile", record.profile);
  add("outcome", record.outcome);
  add("reason", record.reason);
  add("request_id", record.request_id);
  return text;
}

}  // namespace

// Managers of one user share a state directory, a chain has one writer: each takes the first directory that is free.
Status AuditLog::take_directory(const std::string& wanted) {
  for (size_t i = 1; i <= kDirectories; ++i) {
    directory_ = i == 1 ? wanted : wanted + "." + std::to_string(i);
    auto lock = lock_directory(directory_);
    if (lock) {
      lock_ = std::move(*lock);
      return {};
    }
    if (lock.error().code != Errc::kConflict) return tl::unexpected<Error>(lock.error());
  }
  return failure(Errc::kConflict, std::to_string(kDirectories) + " other managers keep audit logs in " + wanted);
}

// The lock is of the directory that has this name now.
Status AuditLog::keep_directory() {
  struct stat held {
  }, there{};
  const bool is_there = fstat(lock_.get(), &held) == 0 && stat(directory_.c_str(), &there) == 0;
  if (is_there && held.st_dev == there.st_dev && held.st_ino == there.st_ino) return {};
  auto lock = lock_directory(directory_);
  if (!lock) return tl::unexpected<Error>(lock.error());
  lock_ = std::move(*lock);
  return {};
}

Status AuditLog::open(const AuditOptions& options) {
  const std::array file_bytes{options.file_bytes, options.decision_file_bytes};
  if (options.directory.empty() || file_bytes == std::array<uint64_t, 2>{}) return {};
  if (const Status taken = take_directory(options.directory); !taken) return taken;
  if (const Status opened = open_files(options, file_bytes); !opened) return opened;
  publish();
  // Signals are the loop's. SIGXFSZ too: a write beyond RLIMIT_FSIZE then answers EFBIG.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return {};
}

Status AuditLog::open_files(const AuditOptions& options, const std::array<uint64_t, 2>& file_bytes) {
  const std::string known = read_kept(directory_);
  std::string kept;
  for (const label::AuditLogKind kind : label::kAllAuditLogKinds) {
    const auto index = static_cast<size_t>(kind);
    if (file_bytes[index] == 0) continue;
    const std::string name(to_string(kind));
    kept += name + "\n";
    const bool was_kept = known.find(name + "\n") != known.npos;
    auto file = AuditFile::open(
        directory_, name, {file_bytes[index], options.files},
        [] { return time_fields(wall_clock_ms(), monotonic_us_now()); },
        was_kept ? AuditHistory::kKept : AuditHistory::kUnknown);
    if (!file) return tl::unexpected<Error>(file.error());
    if (const std::string finding = file->take_finding(); !finding.empty())
      log_warning("audit log", {{"log", name}, {"finding", finding}});
    files_[index] = std::move(*file);
  }
  return kept == known ? Status() : write_kept(directory_, kept);
}

void AuditLog::record(label::AuditLogKind kind, AuditRecord record) {
  if (!thread_.joinable() || !is_kept(kind)) return;
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= kQueuedRecords) {
      ++overflowed_[static_cast<size_t>(kind)];
      return;
    }
    was_empty = queue_.empty();
    queue_.push_back({kind, wall_clock_ms(), monotonic_us_now(), std::move(record)});
  }
  if (was_empty) changed_.notify_one();  // with more in it, the thread is gathering
}

void AuditLog::run() {
  TimePoint sync_at = TimePoint::max();
  std::vector<Queued> records;
  for (bool stop = false; !stop;) {
    {
      std::unique_lock lock(mutex_);
      const auto is_due = [this] { return stopping_ || !queue_.empty(); };
      if (sync_at == TimePoint::max()) {
        changed_.wait(lock, is_due);
      } else {
        changed_.wait_until(lock, sync_at, is_due);
      }
      changed_.wait_for(lock, queue_.empty() ? milliseconds(0) : kGatherTime, [this] { return stopping_; });
      stop = stopping_;
      records.swap(queue_);
    }
    if (!records.empty() && sync_at == TimePoint::max()) sync_at = now() + kSyncInterval;
    write(records);
    if (stop) write(records);  // says what the queue lost at last
    if (!stop && now() < sync_at) continue;
    sync();
    sync_at = TimePoint::max();
  }
}

void AuditLog::write(std::vector<Queued>& records) {
  const Status kept = keep_directory();
  for (const Queued& each : records) {
    AuditFile& file = *files_[static_cast<size_t>(each.kind)];
    if (!kept) {
      file.note_lost(1);
      continue;
    }
    file.add(each.record.action, fields_of(each.wall_ms, each.monotonic_us, each.record));
  }
  records.clear();
  for (size_t index = 0; index < files_.size(); ++index) {
    if (!files_[index]) continue;
    uint64_t overflowed = 0;
    {
      const std::lock_guard lock(mutex_);
      overflowed = std::exchange(overflowed_[index], 0);
    }
    if (overflowed > 0) files_[index]->note_lost(overflowed);
    if (!files_[index]->has_pending()) continue;
    kept ? flush(index) : tell(index, kept);
  }
  publish();
}

void AuditLog::flush(size_t index) {
  const Status done = files_[index]->flush();
  if (const std::string finding = files_[index]->take_finding(); !finding.empty()) {
    log_error("audit log", {{"log", std::string(to_string(label::kAllAuditLogKinds[index]))}, {"finding", finding}});
  }
  tell(index, done);
}

// Once, until it works again, and seldom where that is often. Only what was written can tell that it does.
void AuditLog::tell(size_t index, const Status& done) {
  const std::string log(to_string(label::kAllAuditLogKinds[index]));
  if (!done && !std::exchange(is_failing_[index], true) && complaints_[index].pass(now())) {
    log_error("audit records are lost", {{"log", log}, {"directory", directory_}, {"error", done.error().message}});
  }
  if (done && std::exchange(is_failing_[index], false)) {
    log_warning_seldom("audit records are kept again", {{"log", log}});
  }
}

void AuditLog::sync() {
  for (auto& file : files_) {
    const Status done = file ? file->sync() : Status();
    if (!done) log_warning_seldom("audit log is not synced", {{"error", done.error().message}});
  }
}

void AuditLog::publish() {
  const std::lock_guard lock(mutex_);
  for (size_t i = 0; i < files_.size(); ++i) {
    if (!files_[i]) continue;
    const AuditFile& file = *files_[i];
    totals_[i] = {file.lines(), file.bytes(), file.lost(), file.damages(), file.head(), is_failing_[i]};
  }
}

AuditLog::Totals AuditLog::totals(label::AuditLogKind kind) const {
  const std::lock_guard lock(mutex_);
  return totals_[static_cast<size_t>(kind)];
}

size_t AuditLog::queued() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

void AuditLog::close() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

}  // namespace capsule
