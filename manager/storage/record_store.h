// Makes what the log says of runs into what people look at: a directory for each run, and the index. For the storage
// thread, all but open(); one store for a directory, which a lock file sees to.
//
//   DIR/log/NNNNNNNNNNNN.log   what happened, as it happened (record_log.h)
//   DIR/runs/RUN_ID/           run_folder.h
//   DIR/spare/                 spare_inodes.h
//   DIR/index.sqlite           record_index.h
//   DIR/log/NNNNNNNNNNNN.log.damaged   the latest kDamagedKept in which something was no record: what followed is in
//   there DIR/index.damaged.sqlite   the latest one that could not be used: it was made again from directories and log
//
// The log is the truth, the rest follows when there is time, in steps. Applying it again changes nothing, so a store
// whose manager was killed begins again with the oldest file of the log. A file of the log goes once all of it is
// applied and on the disk. Runs that are so far behind the latest that retention would remove them never get a
// directory.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "manager/config.h"
#include "manager/storage/aborted_run.h"
#include "manager/storage/record_index.h"
#include "manager/storage/record_log.h"
#include "manager/storage/spare_inodes.h"
#include "protocol/message.h"

namespace capsule {

class RecordStore {
 public:
  // Makes the directory, and completes what an earlier manager left unfinished as `aborted`. kConflict: another manager
  // writes there.
  static Result<std::shared_ptr<RecordStore>> open(const std::string& directory, const RecordsConfig& config);
  ~RecordStore();

  int log_directory() const { return log_.get(); }
  uint64_t next_segment() const { return next_segment_; }  // for the writer to begin with
  uint64_t aborted() const { return aborted_; }
  // The first kAbortedRunsTold of them.
  std::vector<AbortedRun> take_aborted_runs() { return std::move(aborted_runs_); }
  // What had to be mended at open(), for people; or empty.
  std::string take_finding() { return std::exchange(finding_, {}); }
  bool has_damaged_log() const { return !damaged_.empty(); }     // since open()
  uint64_t bytes_before_us() const { return bytes_before_us_; }  // of the log, at open()

  struct Progress {
    bool is_behind = false;   // there is more to do
    uint64_t read_bytes = 0;  // of the log, since open()
    uint64_t runs = 0, bytes = 0;
    uint64_t expired = 0;  // runs removed, since the last step
    std::string problem;   // empty: all is well
    std::string finding;   // what had to be mended in this step, for people
    bool has_damaged_log = false;
  };
  // About `budget` of work. `finals`: `finished` frames appended since open(), by which it knows how far behind it is.
  Progress step(Duration budget, uint64_t finals, const RecordsConfig& config);
  static constexpr unsigned kTriesOfTrouble = 3;
  static constexpr size_t kDamagedKept = 4;  // files of the log, of kLogSegmentBytes and one write more at most
  // What is in the log is on the disk afterwards.
  Status sync();

  // A run of another uid does not exist. What was appended before the call is in the answer, but for `list` of a store
  // that is far behind: then `behind` is true in it.
  Result<std::string> list(uid_t uid, const std::string& before, uint64_t count);
  Result<std::string> show(uid_t uid, const std::string& run_id);
  Result<std::string> trace(uid_t uid, const std::string& run_id);  // for `trace`: trace_lines.h
  Result<RecordData> output(uid_t uid, const std::string& run_id, uint32_t stream, uint64_t offset);

 private:
  struct OpenRun;
  RecordStore(std::string directory, const RecordsConfig& config);
  Status make_places();
  Status make_run_places();
  bool has_run_places() const;
  Status open_index();
  bool has_index() const;
  Status make_index_again();
  Status recover();
  Status abort_unfinished(RecordLogWriter& writer, const std::map<std::string, AbortedRun, std::less<>>& unfinished);
  void apply(LogPosition at, Message message);
  void apply_note(LogPosition at, const Ack& message);
  void take_output(OpenRun& run, const Output& output);
  OpenRun* find_open(const std::string& run_id);
  void finish(LogPosition at, const Finished& finished);
  void flush(const std::string& run_id, OpenRun& run);
  Status write_folder(const std::string& run_id, OpenRun& run);
  static std::string trace_of(const OpenRun& run);  // trace.jsonl of a finished one
  void put_row(const std::string& run_id, OpenRun& run);
  bool read_until(TimePoint until);  // true: all of it
  bool catch_up(Duration budget);
  Status end_step();
  Progress progress_with(std::string problem);
  Status probe();
  void replay();
  void flush_all();
  void look_ahead(const std::string& run_id);
  bool is_over() const { return total_.runs > config_.max_runs || total_.bytes > config_.max_bytes; }
  bool expire(TimePoint until);  // true: there is more to remove
  void remove(const RecordRow& row);
  void retire_segments();
  void look_for_damage(const RecordLogReader& log);
  Status set_aside(uint64_t segment);
  void trouble(const Status& status);
  Result<RecordRow> row_for(uid_t uid, const std::string& run_id);

  std::string directory_;
  RecordsConfig config_;
  std::string host_;
  UniqueFd root_, lock_, log_, runs_;
  std::unique_ptr<SpareInodes> spare_;
  std::unique_ptr<RecordIndex> index_;
  std::pair<dev_t, ino_t> index_place_;
  std::unique_ptr<RecordLogReader> reader_;
  uint64_t next_segment_ = 0, oldest_segment_ = 0, synced_segment_ = 0, aborted_ = 0;
  uint64_t finals_before_us_ = 0, finals_known_ = 0, bytes_before_us_ = 0;
  struct Finals {  // `finished` frames that were read
    uint64_t all = 0, in_segment = 0, segment = 0;
  };
  Finals finals_read_;
  uint64_t base_bytes_ = 0;  // of the log since open(), before what the present reader began with
  uint64_t retired_bytes_ = 0, retired_finals_ = 0;  // in files that are gone
  std::set<uint64_t> damaged_;                       // files of the log that were told of
  bool needs_replay_ = false;
  unsigned failed_in_a_row_ = 0;
  LogPosition trouble_until_;
  uint64_t replay_until_ = 0;  // segments before it may have been applied already
  std::map<std::string, std::unique_ptr<OpenRun>> open_;
  std::map<std::string, LogPosition> ahead_;  // applied up to there out of turn, because somebody asked
  RecordIndex::Total total_;
  uint64_t expired_ = 0;
  std::string problem_, finding_;
  std::vector<AbortedRun> aborted_runs_;
};

}  // namespace capsule
