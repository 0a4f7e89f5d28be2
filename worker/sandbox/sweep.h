// Ends everything in the capsule but the keeper that calls it, also what forks while it is being killed.
#pragma once

#include "worker/parked.h"

namespace capsule::sandbox {

void sweep(parked::Namespaces namespaces);

}  // namespace capsule::sandbox
