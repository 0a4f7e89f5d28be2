// Descriptor hygiene: a process keeps the standard three and those it was given.
#pragma once

#include <vector>

namespace capsule::sandbox {

// Closes everything above stderr but `keep`; numbers below that are ignored.
void close_all_but(std::vector<int> keep);

}  // namespace capsule::sandbox
