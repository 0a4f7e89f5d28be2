// A throw-away child that tries something and reports findings, one a line, through a pipe.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace capsule::doctor {

// state: on, off, degraded. proof: what was tried and refused. reason: why it is not on. fix: what to do about it.
struct Finding {
  std::string name, state, proof, reason, fix;
};

// By layer: whether the act it forbids succeeded where the layer is not in force.
using Controls = std::map<std::string, bool>;

class Reporter {
 public:
  explicit Reporter(int pipe) : pipe_(pipe) {}
  void expect(Controls controls) { controls_ = std::move(controls); }
  void expect(const std::string& name, bool succeeds) { controls_[name] = succeeds; }
  bool succeeds_outside(const std::string& name) const;  // also where nobody said so
  // `refused`: the forbidden act failed as it must. Off, too, where it fails outside: then that is no proof.
  void tried(const std::string& name, bool refused, const std::string& act);
  void proved(const std::string& name, bool holds, const std::string& proof);  // by what needs no control
  void off(const std::string& name, const std::string& reason);
  void degraded(const std::string& name, const std::string& reason);
  int pipe() const { return pipe_; }

 private:
  void say(const std::string& name, const std::string& state, const std::string& proof, const std::string& reason);
  int pipe_;
  Controls controls_;
};

struct Outcome {
  std::vector<Finding> findings;
  int wait_status = 0;
};

using Fork = std::function<pid_t()>;  // as fork(2)
// Runs `act` in a child; waits for its end, kProbePatience at most.
Outcome in_child(const Fork& fork, const std::function<void(Reporter&)>& act);

}  // namespace capsule::doctor
