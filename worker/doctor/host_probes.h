// Layers that need no capsule to be tried: descriptors, environment, Landlock, seccomp.
#pragma once

#include <vector>

#include "worker/doctor/probe.h"
#include "worker/sandbox/layers.h"

namespace capsule::doctor {

std::vector<Finding> probe_host(const sandbox::Recipe& recipe);

}  // namespace capsule::doctor
