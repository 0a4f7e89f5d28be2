// When a session takes its next snapshot. Pure; one thread; one for each session.
//
//   always  before each run, which waits for it
//   idle    once nothing has run for kIdleWait; a run that comes sooner keeps the one before. But not for ever: where
//           there is none (after a session's first run, and after a rollback, which uses one up), and when more work is
//           at stake than kStakeRatio times what a snapshot costs (and than kLeastStake), the next run waits for one
//   off     never
//
// A state that was refused (threads of the program are running) is not tried again before another run has ended. What
// failed in another way (the copy was killed) is tried again once, before the next run that wants a snapshot; then the
// runs go on without.
#pragma once

#include <optional>

#include "manager/config.h"

namespace capsule {

class SnapshotSchedule {
 public:
  static constexpr milliseconds kIdleWait{50};
  static constexpr int kStakeRatio = 20;
  static constexpr seconds kLeastStake{1};
  static constexpr int kTries = 2;

  explicit SnapshotSchedule(RollbackMode mode) : mode_(mode) {}

  RollbackMode mode() const { return mode_; }
  void run_ended(TimePoint now, Duration ran);
  void taken(Duration took);
  void refused() { refused_ = true; }
  void failed();
  void rolled_back();  // the worker is what was a snapshot, or a fresh one

  // For a run with this mode, when the present state has no snapshot.
  bool is_due_before_run(RollbackMode mode) const;
  // TimePoint::max(): not before something else happens.
  TimePoint due_when_idle() const;

 private:
  RollbackMode mode_;
  std::optional<TimePoint> idle_since_;
  Duration at_stake_{};
  Duration cost_{};
  bool used_up_ = true;  // there is none that a run left
  bool refused_ = false;
  int failures_ = 0;  // of the present state
};

}  // namespace capsule
