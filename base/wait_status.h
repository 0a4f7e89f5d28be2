// A value around the status word of waitpid(2): how a process ended, as the kernel tells it.
#pragma once

#include <optional>
#include <string>

namespace capsule {

class WaitStatus {
 public:
  WaitStatus() = default;
  explicit WaitStatus(int raw) : raw_(raw) {}

  int raw() const { return raw_; }
  std::optional<int> exit_code() const;
  std::optional<int> signal() const;
  // "exit 3", "signal 11 (SIGSEGV)"
  std::string describe() const;

 private:
  int raw_ = 0;
};

// "SIGSEGV" for 11; "signal 77" for one without a name.
std::string signal_name(int signal);

}  // namespace capsule
