// How a run ended: takes everything that can end one, and the first to do so decides. Pure; one thread; one for each
// run. The shell feeds events, does what the returned action says, arms one timer at next_check(), and drains and
// reports once ending() is there. Later events change nothing.
//
// Rules. The worker only claims; deaths come from the kernel. A claim of `cancelled` counts only if an interrupt was
// sent. Once a stop was asked for, its reason is the verdict, however the program then ends; how it did is in the
// evidence. Without one a death is the program's own (exit code: exit, signal: crashed), unless the kernel did it:
// SIGKILL while its group ran out of memory, or SIGSYS, and the program did not send that signal to itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/wait_status.h"
#include "manager/link/cancel_ladder.h"
#include "protocol/verdict.h"

namespace capsule {

struct RunLimits {
  Duration timeout{};  // wall clock from started(); 0: none
  Duration grace{};
  uint64_t output_bytes = 0;  // for the text of the evidence only, as the two below
  Duration cpu{};
  uint64_t memory_bytes = 0;
};

// What the kernel and the keeper know of a death besides its status.
struct DeathFacts {
  int self_sent_signal = 0;  // the last signal the program sent to itself
  uint64_t oom_kills = 0;    // in its capsule, since the run began
};

// Why a worker is given up although the kernel has not said that it died.
enum class LostWhy { kHeartbeat, kLink, kCapsule, kProtocol, kUnable };

struct Ending {
  Verdict verdict = Verdict::kInternalError;
  int exit_status = 0;  // what a shell sees
  Rung rung = Rung::kNone;
  std::optional<StopReason> reason;  // why it was stopped, if it was
  int signal = 0;
  std::optional<int> exit_code;  // of the process, when it ended
  std::string limit;             // "wall_ms=2000", "output_bytes=1048576"
  std::string detail;            // one sentence for people; empty when the verdict says it all
  // Whether the worker can still be used (a session's goes on with it).
  bool worker_survives = false;
};

class RunEnding {
 public:
  // A closed link usually means a death whose status is still on its way through the keeper; after so long without
  // one it is worker_lost.
  static constexpr milliseconds kStatusWait{500};
  // The same where the kernel has killed for memory in its capsule: the death is certain, and taking down much memory
  // takes its time on a busy machine.
  static constexpr seconds kOomWait{10};
  // A kill whose death nobody confirms ends the run all the same after so long: a stuck keeper must not keep it.
  static constexpr seconds kKillWait{5};

  explicit RunEnding(RunLimits limits) : limits_(limits), ladder_(limits.grace) {}

  void started(TimePoint now);  // `execute` is sent; the wall clock runs

  StopAction stop(StopReason reason, TimePoint now);
  StopAction kill(StopReason reason, TimePoint now);
  StopAction check(TimePoint now);  // wall clock, grace, kStatusWait, kOomWait, kKillWait
  TimePoint next_check() const;     // TimePoint::max(): no timer needed

  // The worker's `finished`. `exit_status` is the program's own (SystemExit code), used for `exit` only. A claim that
  // no worker may make is answered like lost(kProtocol), that it could not take the run like lost(kUnable).
  StopAction claimed(Verdict claim, int exit_status);
  void died(WaitStatus status, const DeathFacts& facts = {});
  void link_closed(TimePoint now, uint64_t oom_kills = 0);  // of this run
  // kKill when the worker may be alive and nobody has killed it yet.
  StopAction lost(LostWhy why);
  // Before started(): the program never ran, and its worker is as good as new.
  void not_started(Verdict verdict, std::string detail);

  const std::optional<Ending>& ending() const { return ending_; }
  const CancelLadder& ladder() const { return ladder_; }

 private:
  StopAction note_kill(StopAction action, TimePoint now);
  void end(Ending ending);
  void end_stopped(Rung rung, int signal, std::string detail);  // with the verdict of the ladder's reason
  StopAction end_lost(Verdict verdict, Rung rung, std::string detail);
  std::string limit_text(StopReason reason) const;

  RunLimits limits_;
  CancelLadder ladder_;
  TimePoint timeout_at_ = TimePoint::max();
  TimePoint status_due_at_ = TimePoint::max();
  std::optional<Ending> ending_;
};

Verdict verdict_for(StopReason reason);

}  // namespace capsule
