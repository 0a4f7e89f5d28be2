// Writes one durable checkpoint of a session, off its way: a parked copy holds the state, and a copy of that copy
// serialises it. A copy that the program's own code ends, or holds up so that it cannot interrupt itself, is tried
// again without the name that did. Held by the session while it lasts; destroying it ends the copies, and nothing
// appears.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "manager/pool/copy_maker.h"
#include "manager/storage/checkpoint_service.h"

namespace capsule {

class SaveJob {
 public:
  static constexpr int kTries = 3;
  static constexpr seconds kPatience{30};      // beyond what the copy itself is given
  static constexpr seconds kStallPatience{1};  // beyond twice what a name is given without a sign of life

  struct Start {
    std::shared_ptr<CapsuleProcess> capsule;
    std::unique_ptr<ParkedCopy> copy;
    CheckpointTarget target;
    std::string facts_json;  // what the manager knows, an object
  };
  using Done = std::function<void(Result<CheckpointEntry>)>;

  SaveJob(Loop& loop, Metrics& metrics, CheckpointService& checkpoints, Start start, Done done);
  void begin();
  // Nothing will come of it; whoever asked hears why, at once.
  void give_up(const Error& why);

 private:
  void begin_again();
  void serialise(std::unique_ptr<ParkedCopy> copy);
  void watch_progress(uint64_t bytes_before);
  void ended(CheckpointSave::Outcome outcome);
  void finish(Result<CheckpointEntry> result);

  void count(const Result<CheckpointEntry>& result);

  Loop& loop_;
  Metrics& metrics_;
  const TimePoint begun_at_ = now();
  CheckpointService& checkpoints_;
  Start start_;
  Done done_;
  std::unique_ptr<ParkedCopy> at_work_;
  std::unique_ptr<CheckpointSave> save_;
  std::map<std::string, std::string> leave_out_;
  Timer patience_, stall_;
  bool is_stalled_ = false;  // the copy that was ended last
  int tries_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  // Its own: what becomes of the session's snapshots is nothing to it. Ends first: what copies say at their end is for
  // nobody.
  CopyMaker maker_;
};

}  // namespace capsule
