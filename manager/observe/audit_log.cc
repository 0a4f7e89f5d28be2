#include "manager/observe/audit_log.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>

#include "manager/observe/log.h"

namespace capsule {
namespace {

constexpr seconds kSyncInterval{1};

std::string quoted(std::string_view text) {
  return nlohmann::json(text.substr(0, AuditLog::kTextBytes))
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string time_fields(int64_t wall_ms, int64_t monotonic_us) {
  return "\"time\":\"" + format_utc(wall_ms) + "\",\"monotonic_us\":" + std::to_string(monotonic_us);
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
    if (mkdir(directory_.c_str(), 0700) != 0 && errno != EEXIST) return system_failure("make " + directory_);
    lock_ = UniqueFd(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!lock_) return system_failure("open " + directory_);
    if (flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) return {};
    if (errno != EWOULDBLOCK) return system_failure("lock " + directory_);
  }
  return failure(Errc::kConflict, std::to_string(kDirectories) + " other managers keep audit logs in " + wanted);
}

Status AuditLog::open(const AuditOptions& options) {
  const std::array file_bytes{options.file_bytes, options.decision_file_bytes};
  if (options.directory.empty() || file_bytes == std::array<uint64_t, 2>{}) return {};
  if (const Status taken = take_directory(options.directory); !taken) return taken;
  for (const label::AuditLogKind kind : label::kAllAuditLogKinds) {
    const auto index = static_cast<size_t>(kind);
    if (file_bytes[index] == 0) continue;
    auto file = AuditFile::open(directory_, std::string(to_string(kind)), {file_bytes[index], options.files},
                                [] { return time_fields(wall_clock_ms(), monotonic_us_now()); });
    if (!file) return tl::unexpected<Error>(file.error());
    if (!file->finding().empty())
      log_warning("audit log", {{"log", std::string(to_string(kind))}, {"finding", file->finding()}});
    files_[index] = std::move(*file);
  }
  publish();
  // Signals are the loop's. SIGXFSZ too: a write beyond RLIMIT_FSIZE then answers EFBIG.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return {};
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
  for (const Queued& each : records) {
    files_[static_cast<size_t>(each.kind)]->add(each.record.action,
                                                fields_of(each.wall_ms, each.monotonic_us, each.record));
  }
  records.clear();
  for (const label::AuditLogKind kind : label::kAllAuditLogKinds) {
    const auto index = static_cast<size_t>(kind);
    if (!files_[index]) continue;
    uint64_t overflowed = 0;
    {
      const std::lock_guard lock(mutex_);
      overflowed = std::exchange(overflowed_[index], 0);
    }
    if (overflowed > 0) files_[index]->note_lost(overflowed);
    tell(files_[index]->flush());
  }
  publish();
}

// Once, until it works again.
void AuditLog::tell(const Status& done) {
  if (!done && !std::exchange(is_failing_, true)) {
    log_error("audit records are lost", {{"directory", directory_}, {"error", done.error().message}});
  }
  if (done && std::exchange(is_failing_, false)) log_warning("audit records are kept again");
}

void AuditLog::sync() {
  for (auto& file : files_) {
    if (file) tell(file->sync());
  }
}

void AuditLog::publish() {
  const std::lock_guard lock(mutex_);
  for (size_t i = 0; i < files_.size(); ++i) {
    if (files_[i]) totals_[i] = {files_[i]->lines(), files_[i]->bytes(), files_[i]->lost(), files_[i]->head()};
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
