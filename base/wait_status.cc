#include "base/wait_status.h"

#include <string.h>
#include <sys/wait.h>

namespace capsule {

std::optional<int> WaitStatus::exit_code() const {
  if (!WIFEXITED(raw_)) return std::nullopt;
  return WEXITSTATUS(raw_);
}

std::optional<int> WaitStatus::signal() const {
  if (!WIFSIGNALED(raw_)) return std::nullopt;
  return WTERMSIG(raw_);
}

std::string WaitStatus::describe() const {
  if (const auto code = exit_code()) return "exit " + std::to_string(*code);
  if (const auto sig = signal()) return "signal " + std::to_string(*sig) + " (" + signal_name(*sig) + ")";
  return "status " + std::to_string(raw_);
}

std::string signal_name(int signal) {
  const char* abbreviation = sigabbrev_np(signal);
  if (abbreviation == nullptr) return "signal " + std::to_string(signal);
  return std::string("SIG") + abbreviation;
}

}  // namespace capsule
