#include "manager/link/run_ending.h"

#include <algorithm>
#include <csignal>
#include <utility>

namespace capsule {

Verdict verdict_for(StopReason reason) {
  switch (reason) {
    case StopReason::kClientCancel: return Verdict::kCancelled;
    case StopReason::kTimeout: return Verdict::kTimeout;
    case StopReason::kCpuLimit: return Verdict::kCpuLimit;
    case StopReason::kMemoryLimit: return Verdict::kOutOfMemory;
    case StopReason::kOutputLimit: return Verdict::kOutputLimit;
    case StopReason::kClientGone: return Verdict::kCancelled;
    case StopReason::kShutdown: return Verdict::kAborted;
  }
  return Verdict::kAborted;
}

namespace {

bool may_be_claimed(Verdict claim) {
  return claim == Verdict::kOk || claim == Verdict::kException || claim == Verdict::kExit ||
         claim == Verdict::kCancelled;
}

std::string describe(LostWhy why) {
  switch (why) {
    case LostWhy::kHeartbeat: return "the worker sent no heartbeat for too long";
    case LostWhy::kLink: return "the worker's link closed although the worker had not ended";
    case LostWhy::kCapsule: return "the worker's capsule ended";
    case LostWhy::kProtocol: return "the worker sent what no worker may send";
    case LostWhy::kUnable:
      return "the worker could not take the run or say how it ended: its program may have left no memory or open files";
  }
  return "";
}

}  // namespace

void RunEnding::started(TimePoint now) {
  if (limits_.timeout > Duration::zero()) timeout_at_ = now + limits_.timeout;
}

StopAction RunEnding::note_kill(StopAction action, TimePoint now) {
  if (action == StopAction::kKill) status_due_at_ = std::min<TimePoint>(status_due_at_, now + kKillWait);
  return action;
}

StopAction RunEnding::stop(StopReason reason, TimePoint now) {
  if (ending_) return StopAction::kNothing;
  return note_kill(ladder_.request(reason, now), now);
}

StopAction RunEnding::kill(StopReason reason, TimePoint now) {
  if (ending_) return StopAction::kNothing;
  return note_kill(ladder_.kill(reason), now);
}

StopAction RunEnding::check(TimePoint now) {
  if (ending_) return StopAction::kNothing;
  if (now >= status_due_at_) return lost(LostWhy::kLink);
  if (now >= timeout_at_) {
    timeout_at_ = TimePoint::max();
    const StopAction action = ladder_.request(StopReason::kTimeout, now);
    if (action != StopAction::kNothing) return note_kill(action, now);
  }
  return note_kill(ladder_.check(now), now);
}

TimePoint RunEnding::next_check() const {
  if (ending_) return TimePoint::max();
  return std::min({timeout_at_, status_due_at_, ladder_.next_check()});
}

StopAction RunEnding::claimed(Verdict claim, int exit_status) {
  if (ending_) return StopAction::kNothing;
  if (claim == Verdict::kInternalError) return lost(LostWhy::kUnable);
  if (!may_be_claimed(claim)) return lost(LostWhy::kProtocol);
  if (claim == Verdict::kCancelled && ladder_.has_interrupted()) {
    end_stopped(Rung::kInterrupt, 0, "");
    return StopAction::kNothing;
  }
  Ending ending;
  // KeyboardInterrupt that nobody sent: the program raised it.
  ending.verdict = claim == Verdict::kCancelled ? Verdict::kException : claim;
  ending.exit_status = exit_status;
  ending.worker_survives = ladder_.rung() != Rung::kKill;
  if (ladder_.reason()) {
    ending.detail = "ended by itself while being stopped (" + std::string(to_string(*ladder_.reason())) + ")";
  }
  end(std::move(ending));
  return StopAction::kNothing;
}

void RunEnding::died(WaitStatus status, const DeathFacts& facts) {
  if (ending_) return;
  const int signal = status.signal().value_or(0);
  if (ladder_.rung() == Rung::kKill && signal == SIGKILL) return end_stopped(Rung::kKill, signal, "");
  Ending ending;
  ending.verdict = signal != 0 ? Verdict::kCrashed : Verdict::kExit;
  ending.signal = signal;
  ending.exit_code = status.exit_code();
  ending.exit_status = ending.exit_code.value_or(0);
  ending.detail = "the worker's process ended: " + status.describe();
  if (signal == SIGKILL && facts.oom_kills > 0 && facts.self_sent_signal != SIGKILL) {
    ending.verdict = Verdict::kOutOfMemory;
    ending.limit = limit_text(StopReason::kMemoryLimit);
    ending.detail = "the kernel ended it because its capsule was out of memory";
  } else if (signal == SIGSYS && facts.self_sent_signal != SIGSYS) {
    ending.verdict = Verdict::kViolation;
    ending.detail = "it made a system call that ends a program here";
  }
  end(std::move(ending));
}

void RunEnding::link_closed(TimePoint now, uint64_t oom_kills) {
  const Duration patience = oom_kills > 0 ? Duration(kOomWait) : Duration(kStatusWait);
  status_due_at_ = std::min<TimePoint>(status_due_at_, now + patience);
}

StopAction RunEnding::lost(LostWhy why) {
  if (ending_) return StopAction::kNothing;
  if (ladder_.rung() == Rung::kKill) {
    // It is dying by our hand; only what says that nothing more will come ends the wait for the kernel's word.
    if (why == LostWhy::kCapsule) end_stopped(Rung::kKill, SIGKILL, "");
    if (why == LostWhy::kLink) end_stopped(Rung::kKill, 0, "killed; its death was not confirmed in time");
    return StopAction::kNothing;
  }
  return end_lost(Verdict::kWorkerLost, why == LostWhy::kCapsule ? Rung::kNone : Rung::kKill, describe(why));
}

void RunEnding::not_started(Verdict verdict, std::string detail) {
  if (ending_) return;
  Ending ending;
  ending.verdict = verdict;
  ending.detail = std::move(detail);
  ending.worker_survives = true;
  end(std::move(ending));
}

StopAction RunEnding::end_lost(Verdict verdict, Rung rung, std::string detail) {
  Ending ending;
  ending.verdict = verdict;
  ending.rung = rung;
  ending.detail = std::move(detail);
  end(std::move(ending));
  return rung == Rung::kKill ? StopAction::kKill : StopAction::kNothing;
}

void RunEnding::end_stopped(Rung rung, int signal, std::string detail) {
  Ending ending;
  ending.verdict = verdict_for(*ladder_.reason());
  ending.rung = rung;
  ending.reason = ladder_.reason();
  ending.signal = signal;
  ending.limit = limit_text(*ladder_.reason());
  ending.detail = std::move(detail);
  ending.worker_survives = rung == Rung::kInterrupt && ladder_.rung() != Rung::kKill;
  end(std::move(ending));
}

void RunEnding::end(Ending ending) {
  // Who asked first decides: catching the interrupt and ending by oneself does not undo a timeout or a cancel.
  if (ladder_.reason() && ending.verdict != Verdict::kInternalError) {
    ending.verdict = verdict_for(*ladder_.reason());
    ending.reason = ladder_.reason();
    ending.limit = limit_text(*ladder_.reason());
    if (ending.rung == Rung::kNone) ending.rung = ladder_.has_interrupted() ? Rung::kInterrupt : Rung::kKill;
  }
  ending.exit_status = exit_status_for(ending.verdict, ending.exit_status, ending.signal);
  ending_ = std::move(ending);
}

std::string RunEnding::limit_text(StopReason reason) const {
  if (reason == StopReason::kTimeout) return "wall_ms=" + std::to_string(to_milliseconds(limits_.timeout));
  if (reason == StopReason::kCpuLimit) return "cpu_ms=" + std::to_string(to_milliseconds(limits_.cpu));
  if (reason == StopReason::kMemoryLimit) return "memory_bytes=" + std::to_string(limits_.memory_bytes);
  if (reason == StopReason::kOutputLimit) return "output_bytes=" + std::to_string(limits_.output_bytes);
  return "";
}

}  // namespace capsule
