#include "protocol/verdict.h"

namespace capsule {

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk: return "ok";
    case Verdict::kException: return "exception";
    case Verdict::kExit: return "exit";
    case Verdict::kCancelled: return "cancelled";
    case Verdict::kTimeout: return "timeout";
    case Verdict::kCpuLimit: return "cpu_limit";
    case Verdict::kOutOfMemory: return "out_of_memory";
    case Verdict::kOutputLimit: return "output_limit";
    case Verdict::kCrashed: return "crashed";
    case Verdict::kViolation: return "violation";
    case Verdict::kWorkerLost: return "worker_lost";
    case Verdict::kRejected: return "rejected";
    case Verdict::kAborted: return "aborted";
    case Verdict::kInternalError: return "internal_error";
  }
  return "internal_error";
}

std::optional<Verdict> verdict_from_string(std::string_view word) {
  for (const Verdict verdict : kAllVerdicts) {
    if (to_string(verdict) == word) return verdict;
  }
  return std::nullopt;
}

int exit_status_for(Verdict verdict, int program_status, int signal) {
  constexpr int kTimeoutStatus = 124;  // as timeout(1)
  constexpr int kCapsuleStatus = 125;  // as docker run: the tool itself could not
  constexpr int kSignalBase = 128;     // as the shell
  switch (verdict) {
    case Verdict::kOk: return 0;
    case Verdict::kException: return 1;
    case Verdict::kExit: return program_status & 0xFF;
    case Verdict::kCancelled: return 130;
    case Verdict::kTimeout: return kTimeoutStatus;
    case Verdict::kCpuLimit: return 152;
    case Verdict::kOutOfMemory: return 137;
    case Verdict::kOutputLimit: return 153;
    case Verdict::kCrashed: return kSignalBase + signal;
    case Verdict::kViolation: return 159;
    case Verdict::kWorkerLost: return 137;
    case Verdict::kRejected:
    case Verdict::kAborted:
    case Verdict::kInternalError: return kCapsuleStatus;
  }
  return kCapsuleStatus;
}

bool retry_makes_sense(Verdict verdict) {
  switch (verdict) {
    case Verdict::kWorkerLost:
    case Verdict::kRejected:
    case Verdict::kAborted:
    case Verdict::kInternalError: return true;
    case Verdict::kOk:
    case Verdict::kException:
    case Verdict::kExit:
    case Verdict::kCancelled:
    case Verdict::kTimeout:
    case Verdict::kCpuLimit:
    case Verdict::kOutOfMemory:
    case Verdict::kOutputLimit:
    case Verdict::kCrashed:
    case Verdict::kViolation: return false;
  }
  return false;
}

}  // namespace capsule
