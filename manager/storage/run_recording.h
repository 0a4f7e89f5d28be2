// What one run leaves behind, while it runs: facts and content become frames for the log of runs. Lives with its run,
// on the loop's thread.
//
// Bounds: run.recorded_output_bytes of each stream (the first ones; what follows is counted), kRecordedResultsBytes of
// displays and results, kRecordedCodeBytes of code (longer code leaves its hash only). Output is collected here until
// it is kCollectedBytes or the recorder asks for it.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "manager/observe/labels.h"
#include "manager/output/output_budget.h"
#include "manager/schedule/run_settings.h"
#include "manager/storage/secret_mask.h"
#include "protocol/message.h"

namespace capsule {

struct Run;
class NoteWriter;

inline constexpr size_t kRecordedCodeBytes = 256u << 10;
inline constexpr size_t kRecordedResultsBytes = 1u << 20;
inline constexpr size_t kCollectedBytes = 64u << 10;

class RunRecording;

// What recordings write to. The recorder implements it.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  // Whole frames. `what` is counted when they cannot be written.
  virtual Status write(std::string_view frames, label::Recorded what) = 0;
  virtual bool takes_content() const = 0;                   // false: too much waits for the disk
  virtual void has_collected(RunRecording& recording) = 0;  // its flush() is wanted soon
  virtual void forget(RunRecording& recording) = 0;
};

// What is known of a run's profile when the run is accepted.
struct ProfileFacts {
  const std::string& python;
  const std::vector<Layer>& layers;
};

class RunRecording {
 public:
  // Writes what is known at acceptance; an error means that the run must not be accepted.
  static Result<std::shared_ptr<RunRecording>> begin(std::shared_ptr<RecordSink> sink, Run& run,
                                                     const RunSettings& settings, const ProfileFacts& profile);

  ~RunRecording() { sink_->forget(*this); }

  // Told with what is collected next, or with the end.
  void started(const Run& run);
  void output(Stream stream, uint64_t offset, std::string_view data);
  void display(const Display& display);
  void result(const ResultValue& result);
  // It lasts for `after` by now; its stack, or why there is none.
  void slow(Duration after, const std::string& stack, std::string_view missing);
  // Before the client hears of it. `outcome` is as it was afterwards.
  void finished(Run& run);

  void flush();

 private:
  RunRecording(std::shared_ptr<RecordSink> sink, const RunSettings& settings);
  Status accept(Run& run, const RunSettings& settings, const ProfileFacts& profile);
  void cut_output(size_t stream, bool is_last);
  std::string masked(std::string text) const;
  std::string outcome_frame(Finished& outcome) const;
  void leave_out(Finished& outcome) const;
  void mask_cut_ends(const OutputCount& output);
  void put_start(NoteWriter& note) const;

  struct StreamState {
    std::string waiting;  // may end in the beginning of a secret
    uint64_t recorded = 0, unrecorded = 0;
    uint64_t taken() const { return recorded + waiting.size(); }
  };

  std::shared_ptr<RecordSink> sink_;
  SecretMask mask_;
  bool records_code_, records_output_;
  uint64_t output_bytes_max_;
  std::string run_id_, lease_;
  int64_t started_ms_ = 0, queue_us_ = 0;
  pid_t worker_pid_ = 0;
  bool start_is_told_ = false;
  std::string collected_;  // frames
  std::array<StreamState, 2> streams_;
  size_t results_bytes_ = 0;
  uint64_t results_lost_ = 0;
};

}  // namespace capsule
