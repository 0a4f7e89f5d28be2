// How much of the sandbox must hold. Pure: decides on a list of layers, whoever found them out.
//
//   strict    every layer of the list
//   standard  own processes and network, a system call filter, and files kept apart by a root or by Landlock
//   degraded  a system call filter, and files kept apart
//   unsafe    anything
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "manager/config.h"
#include "protocol/message.h"

namespace capsule {

// Names, of those the floor asks for, that are not on. A layer that is not in the list is not on.
std::vector<std::string> missing_layers(Floor floor, const std::vector<Layer>& layers);
// kRefused with the names and their reasons.
Status check_floor(Floor floor, const std::vector<Layer>& layers);

// The best floor that holds.
Floor floor_of(const std::vector<Layer>& layers);

}  // namespace capsule
