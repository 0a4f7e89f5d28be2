// Resource limits of a worker. Hard equals soft: user code may raise a soft limit back to the hard one, and a lowered
// hard one never comes back, so these hold for the worker's life and are set once, before user code.
#pragma once

#include "base/result.h"
#include "worker/parked.h"
#include "worker/sandbox/policy.h"

namespace capsule::sandbox {

// The number of processes is limited only in a user namespace of the capsule's own: elsewhere the kernel counts
// everything that the user runs on the machine.
Status limit_resources(const Policy& policy, parked::Namespaces namespaces);

}  // namespace capsule::sandbox
