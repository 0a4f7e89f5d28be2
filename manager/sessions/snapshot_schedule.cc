#include "manager/sessions/snapshot_schedule.h"

#include <algorithm>

namespace capsule {

void SnapshotSchedule::run_ended(TimePoint now, Duration ran) {
  idle_since_ = now;
  at_stake_ += ran;
  refused_ = false;
  failures_ = 0;
}

void SnapshotSchedule::taken(Duration took) {
  cost_ = took;
  at_stake_ = Duration::zero();
  used_up_ = false;
}

void SnapshotSchedule::failed() {
  idle_since_.reset();
  if (++failures_ == kTries) refused_ = true;
}

void SnapshotSchedule::rolled_back() {
  at_stake_ = Duration::zero();
  used_up_ = true;
  refused_ = false;
  failures_ = 0;
}

bool SnapshotSchedule::is_due_before_run(RollbackMode mode) const {
  if (mode == RollbackMode::kOff || refused_) return false;
  if (mode == RollbackMode::kAlways || used_up_) return true;
  return at_stake_ >= std::max<Duration>(kLeastStake, kStakeRatio * cost_);
}

TimePoint SnapshotSchedule::due_when_idle() const {
  if (mode_ == RollbackMode::kOff || refused_ || !idle_since_) return TimePoint::max();
  return *idle_since_ + kIdleWait;
}

}  // namespace capsule
