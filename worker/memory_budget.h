// The soft memory limit of a run that has less than its profile allows: what its program's heap may grow by before it
// gets MemoryError. A program can raise it again; the hard limit, which the kernel or the manager enforces, it cannot.
//
// The profile's own soft limit is the hard RLIMIT_DATA of the worker (worker/sandbox/rlimits). Main thread.
#pragma once

#include <cstdint>

#include "worker/run_limit.h"

namespace capsule {

class MemoryBudget {
 public:
  // Runs with less than this have the hard limit only: the interpreter itself would not get far.
  static constexpr uint64_t kLeastBytes = 32u << 20;

  // `profile_bytes`: the soft limit in force, 0 for none. `run_bytes`: the run's hard limit, 0 for the profile's.
  MemoryBudget(uint64_t profile_bytes, uint64_t run_bytes);

 private:
  RunLimit limit_;
};

}  // namespace capsule
