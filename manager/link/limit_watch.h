// Has a run used more than it may? Takes what the kernel counted, says whether a limit was passed and when to look
// again. Pure; one thread; one for each run that has something to watch.
//
// The next look is when the run could have reached its limit at the earliest: processor time grows by at most `cores`
// seconds a second, memory by at most kGrowthBytesPerS for each core. Never sooner than kLeastPause, so that a run at
// its limit does not cost the manager a core, and at the latest after kMemoryPauseMax while memory is watched. What is
// kept for a session's sake (snapshots) goes before its run: one at a time, each with kRoomPatience to come back.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "manager/link/cancel_ladder.h"

namespace capsule {

struct WatchedLimits {
  Duration cpu{};             // 0: not watched
  uint64_t memory_bytes = 0;  // 0: not watched, or the kernel bounds it
  unsigned cores = 1;
};

struct LimitReadings {
  Duration cpu_used{};  // since the run began, with all it started
  uint64_t memory_bytes = 0;
};

class LimitWatch {
 public:
  static constexpr milliseconds kLeastPause{10};
  static constexpr milliseconds kMemoryPauseMax{250};
  // For memory that was given up to be counted no more: the kernel ends a process and takes its pages first.
  static constexpr milliseconds kRoomPatience{30};
  // What a core can touch of fresh memory in a second, with huge pages.
  static constexpr uint64_t kGrowthBytesPerS = 8ull << 30;

  explicit LimitWatch(WatchedLimits limits) : limits_(limits) {}

  bool has_work() const { return limits_.cpu > Duration::zero() || limits_.memory_bytes != 0; }
  // kCpuLimit or kMemoryLimit when one was passed; asked again it says so again.
  std::optional<StopReason> check(const LimitReadings& readings, TimePoint now);
  // Something was given up for this run: for kRoomPatience no memory limit counts as passed.
  void made_room(TimePoint now);
  // After check(), or started(). TimePoint::max() without work.
  TimePoint next_check() const { return next_check_; }
  void started(TimePoint now) { check({}, now); }

 private:
  WatchedLimits limits_;
  TimePoint room_until_ = TimePoint::min();
  TimePoint next_check_ = TimePoint::max();
};

}  // namespace capsule
