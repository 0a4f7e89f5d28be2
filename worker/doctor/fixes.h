// What to do about a layer that cannot be had: the exact setting, from what this machine says of itself.
#pragma once

#include <string>

namespace capsule::doctor {

std::string fix_for(const std::string& layer);

}  // namespace capsule::doctor
