// What a reader must know of the machine and the build to judge a figure.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace capsule::bench {

using Facts = std::vector<std::pair<std::string, std::string>>;  // name, value

Facts machine_facts();

// Ticks of all processors: how much of them a hypervisor gave to somebody else.
struct CpuTicks {
  double stolen = 0, all = 0;
};
CpuTicks cpu_ticks();
double stolen_percent(const CpuTicks& before, const CpuTicks& after);

}  // namespace capsule::bench
