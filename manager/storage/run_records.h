// Records of runs, as the loop sees them: it appends facts to the log (record_log.h), and lets the storage thread make
// directories and an index of them in steps (record_store.h), and answer what clients ask. Owned by the manager.
//
// Acceptance is in the log before the client hears of it, and so is the verdict: a manager that is killed leaves
// exactly one end of each accepted run behind. Content follows within kCollectDelay. The log is synced within
// kSyncDelay.
//
// When the disk is slow: steps get more time the more waits (kCatchUpBytes); past kBacklogContentBytes output and
// results are not recorded but counted; past kBacklogBytes, or when the log cannot be written, runs are refused
// (kUnavailable). Ends of runs that could not be written are tried again with the next write, kRetryBytes of them; with
// none to come, a write that says nothing is tried every kProbeDelay until one works.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "manager/async/loop.h"
#include "manager/observe/metrics.h"
#include "manager/observe/seldom.h"
#include "manager/storage/record_store.h"
#include "manager/storage/run_recording.h"
#include "manager/storage/storage_thread.h"

namespace capsule {

class RunRecords {
 public:
  static constexpr uint64_t kBacklogBytes = 512u << 20, kBacklogContentBytes = 256u << 20;
  static constexpr uint64_t kCatchUpBytes = 32u << 20;
  static constexpr size_t kRetryBytes = 1u << 20;
  static constexpr milliseconds kCollectDelay{50}, kSyncDelay{900}, kProbeDelay{1000};

  using Json = std::function<void(Result<std::string>)>;
  using Data = std::function<void(Result<RecordData>)>;

  RunRecords(Loop& loop, StorageThread& thread, Metrics& metrics);
  ~RunRecords();

  // Below the state directory; completes what an earlier manager left. When another manager writes there, the next free
  // one of `directory`-2 to -8 is taken. records.max_runs = 0: nothing is recorded.
  Status open(const std::string& directory, const RecordsConfig& config);
  bool is_on() const { return store_ != nullptr; }
  uint64_t aborted() const { return store_ ? store_->aborted() : 0; }
  // Once, after open().
  std::vector<AbortedRun> take_aborted_runs() {
    return store_ ? store_->take_aborted_runs() : std::vector<AbortedRun>();
  }
  const std::string& directory() const { return directory_; }
  void set_config(const RecordsConfig& config);
  void set_python(const std::string& version) { python_ = version; }

  // Why runs are refused now, for people; empty: they are taken.
  std::string problem() const;
  // There should be records, and there are none now, or the log is all there is, or some of that was damaged.
  bool is_degraded() const;

  // nullptr when nothing is recorded. An error: the run must not be accepted.
  // `layers`: of its profile now; those it then has are recorded with its end.
  Result<std::shared_ptr<RunRecording>> accept(Run& run, const RunSettings& settings, const std::vector<Layer>& layers);

  void list(uid_t uid, const RecordRequest& request, Json answer);
  void show(uid_t uid, const std::string& run_id, Json answer);
  void trace(uid_t uid, const std::string& run_id, Json answer);
  void output(uid_t uid, const RecordRequest& request, Data answer);

  // What is collected goes to the log, and the log to the disk: at the end.
  void close();

 private:
  class Sink;
  template <class Work, class Answer>
  void ask(Work work, Answer answer);
  Status append(std::string_view frames, label::Recorded what);
  Status write(std::string_view frames);
  void probe();
  void complain(const std::string& problem);
  void tell(const std::string& finding);
  uint64_t backlog_bytes() const;
  bool is_behind() const;
  void flush_recordings();
  void wake();
  void step();
  void stepped(const RecordStore::Progress& progress);

  Loop& loop_;
  StorageThread& thread_;
  Metrics& metrics_;
  RecordsConfig config_;
  std::string directory_, python_;
  std::shared_ptr<RecordStore> store_;
  std::unique_ptr<RecordLogWriter> writer_;
  std::shared_ptr<Sink> sink_;
  std::string unwritten_;  // ends of runs
  uint64_t read_bytes_ = 0, finals_ = 0;
  uint64_t appends_ = 0, appends_at_step_ = 0;
  bool is_stepping_ = false, sync_is_due_ = false;
  bool is_wanted_ = false;
  std::string trouble_, step_trouble_;  // of the latest write and the latest step, if it failed
  Seldom complaints_;
  bool has_damaged_log_ = false;
  Timer step_timer_, sync_timer_, age_timer_, probe_timer_;
};

}  // namespace capsule
