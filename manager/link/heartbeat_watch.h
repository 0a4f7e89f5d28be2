// Is a worker still there? Judges by its heartbeats alone. Pure; one thread; one for each worker.
//
// A beat counts as missed kSlack (a tenth of the interval, 50 ms at least) after it was due. `suspect` after
// suspect_after missed in a row, `lost` after lost_after. Lost never comes without suspect before it, seen at a check
// at least half an interval earlier: if the manager itself was stopped for a while, the beats that wait in the socket
// get their chance to be read.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "manager/config.h"

namespace capsule {

enum class WorkerHealth { kOk, kSuspect, kLost };
std::string_view to_string(WorkerHealth health);  // ok, suspect, lost

class HeartbeatWatch {
 public:
  static constexpr milliseconds kLeastSlack{50};

  // `now`: when the link was made; the first beat is due one interval later.
  HeartbeatWatch(const WorkerConfig& config, TimePoint now) : config_(config), last_beat_(now) {}

  void beat(TimePoint now);

  // While suspended it is always ok: the link thread is parked for a fork. Resuming counts as a beat.
  void suspend();
  void resume(TimePoint now);

  // Lost is final. Asks for nothing but the time, so it may be called at any time.
  WorkerHealth check(TimePoint now);
  // When to check again, `now` at the earliest; TimePoint::max() while suspended or once lost.
  TimePoint next_check(TimePoint now) const;

  TimePoint last_beat() const { return last_beat_; }
  uint64_t beats() const { return beats_; }
  uint64_t missed(TimePoint now) const;              // in a row
  uint64_t suspected() const { return suspected_; }  // times it turned from ok to suspect

 private:
  TimePoint missed_at(uint64_t beats) const;

  WorkerConfig config_;
  TimePoint last_beat_;
  TimePoint suspect_since_{};
  WorkerHealth health_ = WorkerHealth::kOk;
  bool suspended_ = false;
  uint64_t beats_ = 0;
  uint64_t suspected_ = 0;
};

}  // namespace capsule
