// The soft memory limit of a run that has less than its profile allows: what its program's heap may grow by before it
// gets MemoryError. A program can raise it again; the hard limit, which the kernel or the manager enforces, it cannot.
#pragma once

#include <sys/resource.h>

#include <cstdint>

namespace capsule {

// Runs with less than this have the hard limit only: the interpreter itself would not get far.
inline constexpr uint64_t kLeastRunBytes = 32u << 20;

// What RLIMIT_DATA becomes; 0: it stays. `profile_bytes`: the soft limit of the profile, 0 for none. `run_bytes`: the
// run's hard limit, 0 for the profile's.
rlim_t data_limit_of_run(uint64_t profile_bytes, uint64_t run_bytes);

}  // namespace capsule
