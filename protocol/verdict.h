// How a run ended: THE closed enum. The same word stands in the reply, the metric label, the audit line, the trace
// and on the command line. Adding a word here makes every switch that forgets it a compiler warning.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace capsule {

enum class Verdict {
  kOk,
  kException,  // the program raised; a result, not a failure of Capsule
  kExit,       // SystemExit or os._exit
  kCancelled,
  kTimeout,  // wall clock
  kCpuLimit,
  kOutOfMemory,
  kOutputLimit,
  kCrashed,        // died of a signal nobody sent on purpose
  kViolation,      // the sandbox stopped it
  kWorkerLost,     // no heartbeat, or the link is gone
  kRejected,       // admission said no; nothing was run
  kAborted,        // the manager shut down
  kInternalError,  // our fault
};

inline constexpr std::array kAllVerdicts{
    Verdict::kOk,         Verdict::kException,   Verdict::kExit,        Verdict::kCancelled,    Verdict::kTimeout,
    Verdict::kCpuLimit,   Verdict::kOutOfMemory, Verdict::kOutputLimit, Verdict::kCrashed,      Verdict::kViolation,
    Verdict::kWorkerLost, Verdict::kRejected,    Verdict::kAborted,     Verdict::kInternalError};

std::string_view to_string(Verdict verdict);
std::optional<Verdict> verdict_from_string(std::string_view word);

// What a shell sees. `program_status` is the program's own (SystemExit code, 1 for an uncaught exception);
// `signal` is the one a crash died of, else 0.
int exit_status_for(Verdict verdict, int program_status, int signal);

// Whether the same request may end differently when it is sent again, by no merit of its own.
bool retry_makes_sense(Verdict verdict);

}  // namespace capsule
