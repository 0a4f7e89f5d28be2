// What a reader must know of the machine and the build to judge a figure.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace capsule::bench {

using Facts = std::vector<std::pair<std::string, std::string>>;  // name, value

Facts machine_facts();

// What the processors did, in ticks since the machine started. `own` is this process and the children it has reaped.
struct CpuTicks {
  double all = 0, busy = 0, stolen = 0, own = 0;
};
CpuTicks cpu_ticks();

// How much of the machine a hypervisor and other programs took meanwhile. Figures want both close to nothing.
Facts disturbance(const CpuTicks& before, const CpuTicks& after);

}  // namespace capsule::bench
