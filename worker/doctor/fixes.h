// What to do about a layer that cannot be had: the exact setting, from what this machine says of itself.
#pragma once

#include <functional>
#include <string>

namespace capsule::doctor {

struct Machine {
  std::function<long(const std::string&)> setting;  // of sysctl, by its path below /proc/sys; -1: there is none such
  std::string worker_program;                       // the path of this program
};
Machine this_machine();

// Never empty: what should hold everywhere has an outer filter to look for, or is a defect of ours. Pure.
std::string fix_for(const std::string& layer, const Machine& machine);

}  // namespace capsule::doctor
