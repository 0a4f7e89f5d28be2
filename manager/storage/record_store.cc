#include "manager/storage/record_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <set>

#include "manager/observe/trace_lines.h"
#include "manager/storage/open_run.h"
#include "manager/storage/run_folder.h"
#include "protocol/codec.h"
#include "protocol/peek.h"

namespace capsule {
namespace {

constexpr const char* kProbeFile = "probe";
constexpr const char* kRuns = "runs";
constexpr size_t kProbeBytes = 64u << 10;  // a run's records, most times
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

using AbortedRuns = std::map<std::string, AbortedRun, std::less<>>;

// Which runs a log begins and ends, read as cheaply as can be.
struct Ends {
  AbortedRuns begun;
  std::set<std::string, std::less<>> ended;
  uint64_t finals = 0;

  void see(std::string_view payload) {
    const std::string_view type = peek::type(payload);
    if (type == Finished::kType) {
      ended.emplace(peek::text(payload, "run_id").value_or(""));
      ++finals;
    } else if (type == Ack::kType) {
      const auto kind = peek::number(payload, "re");
      const bool is_start = kind == static_cast<uint64_t>(NoteKind::kStarted);
      if (!is_start && kind != static_cast<uint64_t>(NoteKind::kAccepted)) return;
      const Note note = read_note(peek::text(payload, "detail").value_or(""));
      is_start ? see_started(note) : see_accepted(note);
    }
  }

  void see_accepted(const Note& note) {
    AbortedRun run;
    run.run_id = note_text(note, "run_id");
    run.request_id = note_text(note, "request_id");
    run.profile = note_text(note, "profile");
    run.uid = static_cast<uid_t>(note_number(note, "uid"));
    run.created_ms = static_cast<int64_t>(note_number(note, "created_ms"));
    run.layers = note_text(note, "layers");
    begun[run.run_id] = std::move(run);
  }

  void see_started(const Note& note) {
    const auto run = begun.find(note_text(note, "run_id"));
    if (run == begun.end()) return;
    run->second.queue_us = note_number(note, "queue_us");
    run->second.has_started = true;
  }

  // Its beginning may be in a file of the log that is gone.
  void see_row(const RecordRow& row) {
    if (begun.contains(row.run_id)) return;
    const InfoJson info = InfoJson::parse(row.info, nullptr, false);
    const auto text = [&info](const char* key) {
      const auto found = info.find(key);
      return found != info.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    AbortedRun run{row.run_id, text("request_id"), text("profile"), row.uid, row.created_ms};
    run.has_started = !text("started_at").empty();
    run.layers = layers_text_of(info);
    if (const auto queue_s = info.find("queue_s"); queue_s != info.end() && queue_s->is_number()) {
      run.queue_us = static_cast<uint64_t>(queue_s->get<double>() * 1e6);
    }
    begun[row.run_id] = std::move(run);
  }
};

// What is known of when: it was taken, and perhaps started. When it ended is not.
std::string aborted_frames(const AbortedRun& run) {
  std::vector<TraceLine> trace{{std::string(to_string(TraceEvent::kSubmitted)), 0, {}},
                               {std::string(to_string(TraceEvent::kQueued)), 0, {}}};
  if (run.has_started) {
    trace.push_back({std::string(to_string(TraceEvent::kStarted)), static_cast<int64_t>(run.queue_us), {}});
  }
  NoteWriter note;
  note.text("run_id", run.run_id).number("began_us", run.created_ms * 1000).text("trace", trace_text(trace));
  note.text("layers", run.layers);
  Finished lost;
  lost.run_id = run.run_id;
  lost.verdict = Verdict::kAborted;
  lost.exit_status = exit_status_for(Verdict::kAborted, 0, 0);
  lost.evidence.detail = kLostDetail;
  lost.evidence.retry = true;
  lost.usage.queue_us = run.queue_us;
  return encode_frame(Ack{static_cast<uint64_t>(NoteKind::kFinished), note.take()}) + encode_frame(std::move(lost));
}

}  // namespace

RecordStore::RecordStore(std::string directory, const RecordsConfig& config)
    : directory_(std::move(directory)), config_(config), host_(host_name()) {}
RecordStore::~RecordStore() = default;

Result<std::shared_ptr<RecordStore>> RecordStore::open(const std::string& directory, const RecordsConfig& config) {
  std::shared_ptr<RecordStore> store(new RecordStore(directory, config));
  if (const Status made = store->make_places(); !made) return tl::unexpected<Error>(made.error());
  if (const Status opened = store->open_index(); !opened) return tl::unexpected<Error>(opened.error());
  if (const Status recovered = store->recover(); !recovered) return tl::unexpected<Error>(recovered.error());
  return store;
}

Status RecordStore::make_places() {
  auto root = make_directory(AT_FDCWD, directory_.c_str());
  if (!root) return tl::unexpected<Error>(root.error());
  root_ = std::move(*root);
  struct stat facts {};
  if (fstat(root_.get(), &facts) == 0 && facts.st_uid == geteuid()) (void)fchmod(root_.get(), 0700);
  lock_ = UniqueFd(openat(root_.get(), "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock_) return system_failure("make the lock of " + directory_);
  if (flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    return failure(Errc::kConflict, "another manager writes to " + directory_);
  }
  auto log = make_directory(root_.get(), "log");
  if (!log) return tl::unexpected<Error>(log.error());
  log_ = std::move(*log);
  return make_run_places();
}

Status RecordStore::make_run_places() {
  auto runs = make_directory(root_.get(), kRuns);
  if (!runs) return tl::unexpected<Error>(runs.error());
  runs_ = std::move(*runs);
  auto spare = make_directory(root_.get(), "spare");
  if (!spare) return tl::unexpected<Error>(spare.error());
  spare_ = std::make_unique<SpareInodes>(std::move(*spare));
  return {};
}

// Whoever cleans up may have taken them.
bool RecordStore::has_run_places() const {
  struct stat held {
  }, there{};
  const bool is_there = fstat(runs_.get(), &held) == 0 && fstatat(root_.get(), kRuns, &there, AT_SYMLINK_NOFOLLOW) == 0;
  return is_there && held.st_dev == there.st_dev && held.st_ino == there.st_ino;
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
  look_for_damage(log);
  const auto unfinished = index_->unfinished();
  if (!unfinished) return tl::unexpected<Error>(unfinished.error());
  for (const RecordRow& row : *unfinished) ends.see_row(row);
  const auto total = index_->total();
  if (!total) return tl::unexpected<Error>(total.error());
  total_ = *total;

  RecordLogWriter writer(log_.get(), replay_until_);
  std::erase_if(ends.begun, [&ends](const auto& run) { return ends.ended.contains(run.first); });
  if (const Status written = abort_unfinished(writer, ends.begun); !written) return written;
  finals_before_us_ = finals_known_ = ends.finals + aborted_;
  bytes_before_us_ = log.read_bytes() + writer.appended_bytes();
  next_segment_ = writer.segment() + (aborted_ == 0 ? 0 : 1);
  synced_segment_ = oldest_segment_;
  reader_ = std::make_unique<RecordLogReader>(log_.get(), oldest_segment_);
  return sync();
}

Status RecordStore::abort_unfinished(RecordLogWriter& writer, const AbortedRuns& unfinished) {
  std::string frames;
  for (const auto& [run_id, run] : unfinished) {
    frames += aborted_frames(run);
    ++aborted_;
    if (aborted_runs_.size() < kAbortedRunsTold) aborted_runs_.push_back(run);
  }
  return frames.empty() ? Status{} : writer.append(frames);
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
    message ? apply((*frame)->at, std::move(*message)) : reader_->note_damage((*frame)->at);
    if (now() >= until) return false;
  }
}

void RecordStore::flush_all() {
  for (auto& [run_id, run] : open_) {
    if (run->is_changed) flush(run_id, *run);
  }
}

bool RecordStore::catch_up(Duration budget) {
  if (!has_run_places() && probe()) replay();
  if (needs_replay_) return false;
  problem_.clear();
  trouble(index_->begin());
  const bool all = read_until(now() + budget);
  flush_all();
  return end_step() && all;
}

// ---- after trouble -------------------------------------------------------------------------------------------

// What is read in a step with trouble may be missing in directories or the index. The index takes none of it, and all
// of it is applied once more when there is a place to write again. What cannot be applied kTriesOfTrouble times
// although there is, is given up: it would hold up everything behind it.
Status RecordStore::end_step() {
  const bool gives_up = failed_in_a_row_ == kTriesOfTrouble;
  if (problem_.empty() || gives_up) trouble(index_->commit());
  if (problem_.empty()) {
    if (reader_->position() >= trouble_until_) failed_in_a_row_ = 0;
    return {};
  }
  const Status failed = failure(Errc::kSystem, problem_);
  if (gives_up) {
    index_->rollback();  // if it was the commit that failed: else the next step could not begin
    failed_in_a_row_ = 0;
    problem_ = "records of runs were given up: " + problem_;
    return failed;
  }
  index_->rollback();
  ++failed_in_a_row_;
  trouble_until_ = std::max(trouble_until_, reader_->position());
  needs_replay_ = true;
  return failed;
}

Status RecordStore::probe() {
  if (!has_run_places()) {
    if (const Status made = make_run_places(); !made) return made;
  }
  unlinkat(root_.get(), kProbeFile, 0);
  const UniqueFd file(openat(root_.get(), kProbeFile, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return system_failure("write the records of runs");
  const std::string content(kProbeBytes, 'x');
  const ssize_t put = write(file.get(), content.data(), content.size());
  const Status written =
      put == static_cast<ssize_t>(content.size()) ? Status() : system_failure("write the records of runs");
  unlinkat(root_.get(), kProbeFile, 0);
  return written;
}

// From the oldest file of the log, which stays until its content is applied. What is final in the index is left alone.
void RecordStore::replay() {
  needs_replay_ = false;
  open_.clear();
  ahead_.clear();
  replay_until_ = std::max(replay_until_, reader_->position().segment + 1);
  reader_ = std::make_unique<RecordLogReader>(log_.get(), oldest_segment_);
  base_bytes_ = retired_bytes_;
  finals_read_ = {retired_finals_, 0, oldest_segment_};
  expired_ = 0;
  if (const auto total = index_->total()) total_ = *total;
}

RecordStore::Progress RecordStore::step(Duration budget, uint64_t finals, const RecordsConfig& config) {
  config_ = config;
  finals_known_ = finals_before_us_ + finals;
  problem_.clear();
  const TimePoint until = now() + budget;
  needs_replay_ = needs_replay_ || !has_run_places();
  if (needs_replay_) {
    const Status writable = probe();
    if (!writable) return progress_with(writable.error().message);
    replay();
  }
  if (!has_index()) trouble(make_index_again());
  trouble(index_->begin());
  const bool all = read_until(until);
  if (all || reader_->position().segment > oldest_segment_) flush_all();
  look_for_damage(*reader_);
  const bool over = expire(until);
  if (end_step()) retire_segments();
  Progress progress = progress_with(problem_);
  progress.finding = take_finding();
  progress.has_damaged_log = has_damaged_log();
  progress.is_behind = !all || over || needs_replay_;
  return progress;
}

RecordStore::Progress RecordStore::progress_with(std::string problem) {
  Progress progress;
  progress.is_behind = true;
  progress.read_bytes = base_bytes_ + reader_->read_bytes();
  progress.runs = total_.runs;
  progress.bytes = total_.bytes;
  progress.expired = std::exchange(expired_, 0);
  progress.problem = std::move(problem);
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
  trouble(spare_->take(runs_.get(), row.run_id));
  trouble(index_->remove(row.run_id));
  total_.runs -= std::min<uint64_t>(total_.runs, 1);
  total_.bytes -= std::min(total_.bytes, row.bytes);
  ++expired_;
}

// Their content is in directories and the index by now; those have to be on the disk first.
void RecordStore::retire_segments() {
  const uint64_t current = reader_->position().segment;
  if (oldest_segment_ >= current) return;
  if (syncfs(root_.get()) != 0) return trouble(system_failure("sync the records of runs"));
  for (; oldest_segment_ < current; ++oldest_segment_) {
    if (damaged_.contains(oldest_segment_)) trouble(set_aside(oldest_segment_));
    unlinkat(log_.get(), segment_name(oldest_segment_).c_str(), 0);
  }
  retired_bytes_ = base_bytes_ + reader_->read_bytes() - reader_->position().offset;
  retired_finals_ = finals_read_.all - (finals_read_.segment == current ? finals_read_.in_segment : 0);
}

Status RecordStore::sync() {
  const auto segments = segments_in(log_.get());
  if (!segments) return tl::unexpected<Error>(segments.error());
  for (const uint64_t segment : *segments) {
    if (segment < synced_segment_) continue;
    const UniqueFd file(
        openat(log_.get(), segment_name(segment).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
    if (file && fdatasync(file.get()) != 0) return system_failure("sync the log of runs");
    synced_segment_ = segment;
  }
  if (fsync(log_.get()) != 0) return system_failure("sync the log of runs");
  return {};
}

}  // namespace capsule
