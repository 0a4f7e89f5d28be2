// Ends everything in the capsule but the keeper that calls it, also what forks while it is being killed. What is spared
// stands still meanwhile, and with anything spared the dead are left to be reaped.
#pragma once

#include <set>

#include "worker/parked.h"

namespace capsule::sandbox {

void sweep(parked::Namespaces namespaces, const std::set<pid_t>& spared = {});

}  // namespace capsule::sandbox
