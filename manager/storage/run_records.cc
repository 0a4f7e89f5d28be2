#include "manager/storage/run_records.h"

#include <algorithm>

#include "manager/observe/log.h"
#include "manager/schedule/run.h"
#include "manager/storage/record_note.h"
#include "protocol/codec.h"

namespace capsule {
namespace {

constexpr int kDirectories = 8;             // of managers that share a state directory
constexpr milliseconds kStepDelay{50};      // what comes meanwhile is done together
constexpr milliseconds kBusyBudget{3};      // a sixteenth of one core at most while runs come
constexpr milliseconds kLaggingBudget{25};  // past kCatchUpBytes
constexpr milliseconds kIdleDelay{10}, kIdleBudget{40};
constexpr milliseconds kLastBudget{500};
constexpr seconds kAgeInterval{60};  // how often a quiet store looks for records that are too old

constexpr size_t kProbeBytes = 16u << 10;  // more than most runs need to be accepted
constexpr const char* kBehind = "the records of runs are too far behind the disk: try again later";

}  // namespace

// What recordings hold on to: they may outlive the records by a moment at shutdown.
class RunRecords::Sink : public RecordSink {
 public:
  explicit Sink(RunRecords* records) : records_(records) {}
  Status write(std::string_view frames, label::Recorded what) override {
    if (records_ == nullptr) return failure(Errc::kClosed, "the records are closed");
    return records_->append(frames, what);
  }
  bool takes_content() const override {
    return records_ != nullptr && records_->backlog_bytes() < kBacklogContentBytes && records_->trouble_.empty();
  }
  void has_collected(RunRecording& recording) override {
    collected_.insert(&recording);
    if (records_ != nullptr) records_->wake();
  }
  void forget(RunRecording& recording) override { collected_.erase(&recording); }

  void flush() {
    for (RunRecording* each : std::exchange(collected_, {})) each->flush();
  }
  bool is_empty() const { return collected_.empty(); }
  void close() { records_ = nullptr; }

 private:
  RunRecords* records_;
  std::set<RunRecording*> collected_;
};

RunRecords::RunRecords(Loop& loop, StorageThread& thread, Metrics& metrics)
    : loop_(loop),
      thread_(thread),
      metrics_(metrics),
      step_timer_(loop),
      sync_timer_(loop),
      age_timer_(loop),
      probe_timer_(loop) {}

RunRecords::~RunRecords() {
  if (sink_) sink_->close();
}

Status RunRecords::open(const std::string& directory, const RecordsConfig& config) {
  config_ = config;
  is_wanted_ = config.max_runs > 0;
  if (!is_wanted_) return {};
  if (directory.empty()) return failure(Errc::kUnavailable, "there is no directory for records (server.state_dir)");
  auto store = RecordStore::open(directory, config);
  directory_ = directory;
  for (int i = 2; i <= kDirectories && !store && store.error().code == Errc::kConflict; ++i) {
    directory_ = directory + "-" + std::to_string(i);
    store = RecordStore::open(directory_, config);
  }
  if (!store) return tl::unexpected<Error>(store.error());
  store_ = std::move(*store);
  if (const std::string finding = store_->take_finding(); !finding.empty()) tell(finding);
  has_damaged_log_ = store_->has_damaged_log();
  writer_ = std::make_unique<RecordLogWriter>(store_->log_directory(), store_->next_segment());
  sink_ = std::make_shared<Sink>(this);
  metrics_.records_aborted(store_->aborted());
  wake();
  return {};
}

void RunRecords::set_config(const RecordsConfig& config) {
  const uint64_t max_runs = config_.max_runs;
  config_ = config;
  if (config_.max_runs == 0) config_.max_runs = max_runs;  // off needs a restart, and so does on
  if (is_on()) wake();
}

uint64_t RunRecords::backlog_bytes() const {
  const uint64_t appended = writer_->appended_bytes();
  return appended - std::min(appended, read_bytes_);
}

void RunRecords::tell(const std::string& finding) {
  log_error("records of runs", {{"directory", directory_}, {"finding", finding}});
}

std::string RunRecords::problem() const {
  if (!is_on()) return {};
  if (is_behind()) return kBehind;
  if (!trouble_.empty()) return "runs cannot be recorded now: " + trouble_;
  return writer_->is_removed() ? std::string("runs cannot be recorded now: ") + RecordLogWriter::kRemoved : "";
}

bool RunRecords::is_degraded() const {
  return is_wanted_ && (!is_on() || !problem().empty() || !step_trouble_.empty() || has_damaged_log_);
}

bool RunRecords::is_behind() const { return backlog_bytes() > kBacklogBytes || unwritten_.size() > kRetryBytes; }

// ---- in --------------------------------------------------------------------------------------------------------

Result<std::shared_ptr<RunRecording>> RunRecords::accept(Run& run, const RunSettings& settings,
                                                         const std::vector<Layer>& layers) {
  if (!is_on()) return nullptr;
  return RunRecording::begin(sink_, run, settings, {python_, layers});
}

Status RunRecords::append(std::string_view frames, label::Recorded what) {
  const bool is_new = what == label::Recorded::kAccepted;
  if (is_new && is_behind()) return failure(Errc::kUnavailable, kBehind);
  const Status written = write(frames);
  if (what == label::Recorded::kFinished) ++finals_;
  if (!written) {
    const bool is_kept = what == label::Recorded::kFinished && unwritten_.size() + frames.size() <= 2 * kRetryBytes;
    if (is_kept) unwritten_ += frames;
    if (!is_kept) metrics_.record_lost(what);
    if (is_new) return failure(Errc::kUnavailable, "runs cannot be recorded now: " + written.error().message);
    return written;
  }
  ++appends_;
  metrics_.record_appended(what, frames.size());
  wake();
  return {};
}

// What has waited goes first.
Status RunRecords::write(std::string_view frames) {
  Status written = unwritten_.empty() ? Status() : writer_->append(unwritten_);
  if (written) {
    unwritten_.clear();
    written = writer_->append(frames);
  }
  const bool was_troubled = !trouble_.empty();
  trouble_ = written ? "" : written.error().message;
  if (written && was_troubled) log_warning_seldom("records of runs are written again");
  if (!written) {
    complain(trouble_);
    probe_timer_.after(kProbeDelay, [this] { probe(); });
  }
  return written;
}

// Else a manager that nobody sends runs to, because it is not ready, would stay so.
void RunRecords::probe() {
  if (trouble_.empty()) return;
  NoteWriter padding;  // the end of a block has room for a few bytes where there is none for a run
  padding.text("padding", std::string(kProbeBytes, '.'));
  if (write(encode_frame(Ack{static_cast<uint64_t>(NoteKind::kProbe), padding.take()}))) wake();
}

// As often as runs are sent: seldom.
void RunRecords::complain(const std::string& problem) {
  const auto left_out = complaints_.pass(now());
  if (!left_out) return;
  log_error("records of runs", {{"error", problem}, {"left_out", std::to_string(*left_out)}});
}

void RunRecords::flush_recordings() {
  if (sink_) sink_->flush();
}

// ---- towards the disk ------------------------------------------------------------------------------------------

void RunRecords::wake() {
  if (!sync_is_due_) {
    sync_is_due_ = true;
    sync_timer_.after(kSyncDelay, [this] {
      sync_is_due_ = false;
      const Status queued = thread_.submit([store = store_] { return store->sync(); },
                                           [this](const Status& synced) {
                                             if (!synced) complain(synced.error().message);
                                           });
      if (!queued) wake();
    });
  }
  if (is_stepping_) return;
  is_stepping_ = true;
  step_timer_.after(kStepDelay, [this] { step(); });
}

void RunRecords::step() {
  const bool is_idle = appends_ == appends_at_step_;
  flush_recordings();
  appends_at_step_ = appends_;
  const Duration budget = backlog_bytes() > kCatchUpBytes ? Duration(kLaggingBudget)
                          : is_idle                       ? Duration(kIdleBudget)
                                                          : Duration(kBusyBudget);
  const Status queued = thread_.submit(
      [store = store_, budget, finals = finals_, config = config_] { return store->step(budget, finals, config); },
      [this](const RecordStore::Progress& progress) { stepped(progress); });
  if (!queued) step_timer_.after(kStepDelay, [this] { step(); });
}

void RunRecords::stepped(const RecordStore::Progress& progress) {
  is_stepping_ = false;
  const uint64_t newly_read = progress.read_bytes;
  read_bytes_ = newly_read - std::min(newly_read, store_->bytes_before_us());
  metrics_.records_expired(progress.expired);
  metrics_.set_records(progress.runs, progress.bytes, backlog_bytes());
  if (!progress.problem.empty()) complain(progress.problem);
  if (!progress.finding.empty()) tell(progress.finding);
  has_damaged_log_ = progress.has_damaged_log;
  step_trouble_ = progress.problem;
  const bool is_more = appends_ != appends_at_step_ || !sink_->is_empty();
  if (progress.is_behind || is_more) {
    is_stepping_ = true;
    const bool is_idle = progress.is_behind && appends_ == appends_at_step_;
    return step_timer_.after(is_idle ? kIdleDelay : kStepDelay, [this] { step(); });
  }
  age_timer_.after(kAgeInterval, [this] {
    if (std::exchange(is_stepping_, true)) return;
    step();
  });
}

void RunRecords::close() {
  if (!is_on()) return;
  flush_recordings();
  (void)thread_.submit(
      [store = store_, finals = finals_, config = config_] {
        (void)store->step(kLastBudget, finals, config);
        return store->sync();
      },
      [](const Status&) {});
}

// ---- questions ---------------------------------------------------------------------------------------------------

template <class Work, class Answer>
void RunRecords::ask(Work work, Answer answer) {
  if (!is_on()) return answer(failure(Errc::kUnavailable, "runs are not recorded here (records.max_runs)"));
  flush_recordings();
  auto shared = std::make_shared<Answer>(std::move(answer));
  const Status queued = thread_.submit([store = store_, work = std::move(work)] { return work(*store); },
                                       [shared](auto result) { (*shared)(std::move(result)); });
  if (!queued) (*shared)(tl::unexpected<Error>(queued.error()));
}

void RunRecords::list(uid_t uid, const RecordRequest& request, Json answer) {
  ask([uid, before = request.run_id,
       count = request.count](RecordStore& store) { return store.list(uid, before, count); },
      std::move(answer));
}

void RunRecords::show(uid_t uid, const std::string& run_id, Json answer) {
  ask([uid, run_id](RecordStore& store) { return store.show(uid, run_id); }, std::move(answer));
}

void RunRecords::trace(uid_t uid, const std::string& run_id, Json answer) {
  ask([uid, run_id](RecordStore& store) { return store.trace(uid, run_id); }, std::move(answer));
}

void RunRecords::output(uid_t uid, const RecordRequest& request, Data answer) {
  ask([uid, request](RecordStore& store) { return store.output(uid, request.run_id, request.stream, request.offset); },
      std::move(answer));
}

}  // namespace capsule
