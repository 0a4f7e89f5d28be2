#include "manager/link/cancel_ladder.h"

namespace capsule {

std::string_view to_string(StopReason reason) {
  switch (reason) {
    case StopReason::kClientCancel: return "cancel";
    case StopReason::kTimeout: return "timeout";
    case StopReason::kCpuLimit: return "cpu_limit";
    case StopReason::kMemoryLimit: return "memory_limit";
    case StopReason::kOutputLimit: return "output_limit";
    case StopReason::kClientGone: return "client_gone";
    case StopReason::kShutdown: return "shutdown";
  }
  return "shutdown";
}

std::string_view to_string(Rung rung) {
  switch (rung) {
    case Rung::kNone: return "";
    case Rung::kInterrupt: return "interrupt";
    case Rung::kKill: return "kill";
  }
  return "";
}

StopAction CancelLadder::request(StopReason reason, TimePoint now) {
  if (reason_) return StopAction::kNothing;
  if (grace_ <= Duration::zero()) return kill(reason);
  reason_ = reason;
  rung_ = Rung::kInterrupt;
  has_interrupted_ = true;
  kill_at_ = now + grace_;
  return StopAction::kInterrupt;
}

StopAction CancelLadder::kill(StopReason reason) {
  if (rung_ == Rung::kKill) return StopAction::kNothing;
  if (!reason_) reason_ = reason;
  rung_ = Rung::kKill;
  return StopAction::kKill;
}

StopAction CancelLadder::check(TimePoint now) {
  if (now < next_check()) return StopAction::kNothing;
  rung_ = Rung::kKill;
  return StopAction::kKill;
}

}  // namespace capsule
