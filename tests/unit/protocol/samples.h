// One minimal and one full example of each message, shared by the golden, codec and peek tests. "Minimal" has only what
// must be there; "full" has no field at its default.
#pragma once

#include <string>
#include <vector>

#include "protocol/message.h"

namespace capsule {

struct Sample {
  std::string name;  // "<type>-minimal" or "<type>-full"
  Message message;
};

// In the order of the variant.
const std::vector<Sample>& samples();

}  // namespace capsule
