// Layers that only a capsule has: one is made as a zygote would make it, and what it forbids is tried inside.
#pragma once

#include <vector>

#include "worker/doctor/probe.h"
#include "worker/sandbox/layers.h"

namespace capsule::doctor {

std::vector<Finding> probe_capsule(sandbox::Recipe& recipe);

}  // namespace capsule::doctor
