// Lowers the hard limits of a worker from outside, for good: what it starts and what is copied from it have them too,
// and no program raises them again. Where a limit is lower already it stays.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/result.h"

namespace capsule {

// Descriptors above what a program may open, for what comes with requests (worker/descriptor_reserve.h).
inline constexpr uint64_t kDescriptorsReserved = 16;

struct HardLimits {
  uint64_t processes = 0;   // RLIMIT_NPROC: of its user in its user namespace. 0: as it is
  uint64_t open_files = 0;  // without those reserved. 0: as it is
};

// `pid` is a child of a keeper of ours that was alive a moment ago. prlimit(2) wants the same user or
// CAP_SYS_RESOURCE, which root in a container may lack: then a child does it that becomes the worker's user.
Status lower_hard_limits(pid_t pid, const HardLimits& wanted);

}  // namespace capsule
