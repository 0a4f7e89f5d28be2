#include "manager/storage/record_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <set>

#include "manager/storage/open_run.h"
#include "manager/storage/run_folder.h"
#include "protocol/codec.h"
#include "protocol/peek.h"

namespace capsule {
namespace {

constexpr const char* kLostDetail = "the manager ended before the run did";

Result<UniqueFd> make_directory(int at, const char* name) {
  if (mkdirat(at, name, 0700) != 0 && errno != EEXIST) return system_failure(std::string("make ") + name);
  UniqueFd directory(openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!directory) return system_failure(std::string("open ") + name);
  return directory;
}

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

// Which runs a log begins and ends, read as cheaply as can be.
struct Ends {
  std::set<std::string, std::less<>> begun, ended;
  uint64_t finals = 0;

  void see(std::string_view payload) {
    const std::string_view type = peek::type(payload);
    if (type == Finished::kType) {
      ended.emplace(peek::text(payload, "run_id").value_or(""));
      ++finals;
    } else if (type == Ack::kType && peek::number(payload, "re") == static_cast<uint64_t>(NoteKind::kAccepted)) {
      begun.emplace(note_text(read_note(peek::text(payload, "detail").value_or("")), "run_id"));
    }
  }
};

}  // namespace

RecordStore::RecordStore(std::string directory, const RecordsConfig& config)
    : directory_(std::move(directory)), config_(config), host_(host_name()) {}
RecordStore::~RecordStore() = default;

Result<std::shared_ptr<RecordStore>> RecordStore::open(const std::string& directory, const RecordsConfig& config) {
  std::shared_ptr<RecordStore> store(new RecordStore(directory, config));
  if (const Status made = store->make_places(); !made) return tl::unexpected<Error>(made.error());
  auto index = RecordIndex::open(directory + "/index.sqlite");
  if (!index) return tl::unexpected<Error>(index.error());
  store->index_ = std::move(*index);
  if (const Status recovered = store->recover(); !recovered) return tl::unexpected<Error>(recovered.error());
  return store;
}

Status RecordStore::make_places() {
  auto root = make_directory(AT_FDCWD, directory_.c_str());
  if (!root) return tl::unexpected<Error>(root.error());
  root_ = std::move(*root);
  lock_ = UniqueFd(openat(root_.get(), "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock_) return system_failure("make the lock of " + directory_);
  if (flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    return failure(Errc::kConflict, "another manager writes to " + directory_);
  }
  auto log = make_directory(root_.get(), "log");
  if (!log) return tl::unexpected<Error>(log.error());
  log_ = std::move(*log);
  auto runs = make_directory(root_.get(), "runs");
  if (!runs) return tl::unexpected<Error>(runs.error());
  runs_ = std::move(*runs);
  return {};
}

// What was begun and not ended gets its end in the log, before the first new run: from here on it is like any other.
Status RecordStore::recover() {
  const auto segments = segments_in(log_.get());
  if (!segments) return tl::unexpected<Error>(segments.error());
  oldest_segment_ = segments->empty() ? 1 : segments->front();
  replay_until_ = segments->empty() ? 1 : segments->back() + 1;
  Ends ends;
  RecordLogReader log(log_.get(), oldest_segment_);
  for (auto frame = log.next(); frame && *frame; frame = log.next()) ends.see((*frame)->payload);
  const auto unfinished = index_->unfinished();
  if (!unfinished) return tl::unexpected<Error>(unfinished.error());
  for (const RecordRow& row : *unfinished) ends.begun.insert(row.run_id);
  const auto total = index_->total();
  if (!total) return tl::unexpected<Error>(total.error());
  total_ = *total;

  RecordLogWriter writer(log_.get(), replay_until_);
  std::string frames;
  for (const std::string& run_id : ends.begun) {
    if (ends.ended.contains(run_id)) continue;
    Finished lost;
    lost.run_id = run_id;
    lost.verdict = Verdict::kAborted;
    lost.exit_status = exit_status_for(Verdict::kAborted, 0, 0);
    lost.evidence.detail = kLostDetail;
    lost.evidence.retry = true;
    frames += encode_frame(lost);
    ++aborted_;
  }
  if (const Status written = frames.empty() ? Status{} : writer.append(frames); !written) return written;
  finals_before_us_ = finals_known_ = ends.finals + aborted_;
  bytes_before_us_ = log.read_bytes() + writer.appended_bytes();
  next_segment_ = writer.segment() + (frames.empty() ? 0 : 1);
  synced_segment_ = oldest_segment_;
  reader_ = std::make_unique<RecordLogReader>(log_.get(), oldest_segment_);
  return sync();
}

// ---- in steps ------------------------------------------------------------------------------------------------

void RecordStore::trouble(const Status& status) {
  if (!status && problem_.empty()) problem_ = status.error().message;
}

bool RecordStore::read_until(TimePoint until) {
  while (true) {
    const auto frame = reader_->next();
    if (!frame) return trouble(tl::unexpected<Error>(frame.error())), true;
    if (!*frame) return true;
    auto message = decode((*frame)->payload);
    if (message) apply((*frame)->at, std::move(*message));
    if (now() >= until) return false;
  }
}

void RecordStore::flush_all() {
  for (auto& [run_id, run] : open_) {
    if (run->is_changed) flush(run_id, *run);
  }
}

bool RecordStore::catch_up(Duration budget) {
  trouble(index_->begin());
  const bool all = read_until(now() + budget);
  flush_all();
  trouble(index_->commit());
  return all;
}

RecordStore::Progress RecordStore::step(Duration budget, uint64_t finals, const RecordsConfig& config) {
  config_ = config;
  finals_known_ = finals_before_us_ + finals;
  problem_.clear();
  const TimePoint until = now() + budget;
  trouble(index_->begin());
  const bool all = read_until(until);
  if (all || reader_->position().segment > oldest_segment_) flush_all();
  const bool over = expire(until);
  trouble(index_->commit());
  retire_segments();
  Progress progress;
  progress.is_behind = !all || over;
  progress.read_bytes = reader_->read_bytes();
  progress.runs = total_.runs;
  progress.bytes = total_.bytes;
  progress.expired = std::exchange(expired_, 0);
  progress.problem = problem_;
  return progress;
}

bool RecordStore::expire(TimePoint until) {
  const int64_t oldest_ms = wall_clock_ms() - to_milliseconds(config_.max_age);
  while (true) {
    const auto row = index_->oldest_final();
    if (!row || !*row) return false;
    if (!is_over() && (*row)->created_ms >= oldest_ms) return false;
    if (now() >= until) return true;
    remove(**row);
  }
}

void RecordStore::remove(const RecordRow& row) {
  trouble(remove_run_folder(runs_.get(), row.run_id));
  trouble(index_->remove(row.run_id));
  total_.runs -= std::min<uint64_t>(total_.runs, 1);
  total_.bytes -= std::min(total_.bytes, row.bytes);
  ++expired_;
}

// Their content is in directories and the index by now; those have to be on the disk first.
void RecordStore::retire_segments() {
  const uint64_t current = reader_->position().segment;
  if (oldest_segment_ >= current || !problem_.empty()) return;
  if (syncfs(root_.get()) != 0) return trouble(system_failure("sync the records of runs"));
  for (; oldest_segment_ < current; ++oldest_segment_) {
    unlinkat(log_.get(), segment_name(oldest_segment_).c_str(), 0);
  }
}

Status RecordStore::sync() {
  const auto segments = segments_in(log_.get());
  if (!segments) return tl::unexpected<Error>(segments.error());
  for (const uint64_t segment : *segments) {
    if (segment < synced_segment_) continue;
    const UniqueFd file(openat(log_.get(), segment_name(segment).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (file && fdatasync(file.get()) != 0) return system_failure("sync the log of runs");
    synced_segment_ = segment;
  }
  if (fsync(log_.get()) != 0) return system_failure("sync the log of runs");
  return {};
}

}  // namespace capsule
