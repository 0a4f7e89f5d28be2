// A throw-away child that tries something and reports findings, one a line, through a pipe.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace capsule::doctor {

// state: on, off, degraded. proof: what was tried and refused. reason: why it is not on. fix: what to do about it.
struct Finding {
  std::string name, state, proof, reason, fix;
};

class Reporter {
 public:
  explicit Reporter(int pipe) : pipe_(pipe) {}
  // `refused`: the forbidden act failed as it must.
  void tried(const std::string& name, bool refused, const std::string& act);
  void off(const std::string& name, const std::string& reason);
  void degraded(const std::string& name, const std::string& reason);
  int pipe() const { return pipe_; }

 private:
  void say(const std::string& name, const std::string& state, const std::string& proof, const std::string& reason);
  int pipe_;
};

struct Outcome {
  std::vector<Finding> findings;
  int wait_status = 0;
};

using Fork = std::function<pid_t()>;  // as fork(2)
// Runs `act` in a child; waits for its end, kProbePatience at most.
Outcome in_child(const Fork& fork, const std::function<void(Reporter&)>& act);

}  // namespace capsule::doctor
