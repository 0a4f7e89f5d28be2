// How a run is stopped: (1) interrupt, seen as KeyboardInterrupt; (2) after a grace, kill. Pure; one thread; one for
// each run. The first reason stays: asking again neither changes it nor starts the grace anew.
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.h"

namespace capsule {

enum class StopReason { kClientCancel, kTimeout, kCpuLimit, kMemoryLimit, kOutputLimit, kClientGone, kShutdown };
// cancel, timeout, cpu_limit, memory_limit, output_limit, client_gone, shutdown
std::string_view to_string(StopReason reason);

enum class Rung { kNone, kInterrupt, kKill };
std::string_view to_string(Rung rung);  // "", interrupt, kill

// What the shell has to do now.
enum class StopAction { kNothing, kInterrupt, kKill };

class CancelLadder {
 public:
  explicit CancelLadder(Duration grace) : grace_(grace) {}

  // With a grace of 0 the first answer is kKill.
  StopAction request(StopReason reason, TimePoint now);
  // Straight to the top: the drain is over, or the manager is told to stop at once.
  StopAction kill(StopReason reason);
  // kKill once when the grace is over.
  StopAction check(TimePoint now);
  TimePoint next_check() const { return rung_ == Rung::kInterrupt ? kill_at_ : TimePoint::max(); }

  std::optional<StopReason> reason() const { return reason_; }
  Rung rung() const { return rung_; }  // the highest one used so far
  bool has_interrupted() const { return has_interrupted_; }

 private:
  Duration grace_;
  std::optional<StopReason> reason_;
  Rung rung_ = Rung::kNone;
  bool has_interrupted_ = false;
  TimePoint kill_at_{};
};

}  // namespace capsule
