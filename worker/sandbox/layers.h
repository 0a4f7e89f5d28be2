// The layers of a capsule, applied from one ordered list; each says whether it holds. Nothing here is ever weakened
// silently: what could not be had is in the list with its reason, and travels in `hello` to `info` and the verdicts.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/message.h"
#include "worker/parked.h"

namespace capsule::sandbox {

struct Policy {
  uid_t user = 0;  // outer ids of the zygote, for the id maps
  gid_t group = 0;
  std::string workspace;  // given by the manager for when no private one can be mounted
  uint64_t workspace_bytes = 0;
  uint64_t workspace_files = 0;
};

// The keeper's part, right after it was cloned. `policy.workspace` is the fallback directory.
std::vector<Layer> enter_capsule(parked::Containment containment, Policy policy);

// The worker's part, right after it was forked: user code will run here.
void enter_worker(const std::string& fallback_workspace);

}  // namespace capsule::sandbox
