// The ways in which a program most likely writes a value it has: as it is, and as Python's repr() and json.dumps()
// write it inside their quotes. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace capsule {

// Each once, the value itself first. Most values have no other: only quotes, backslashes, control characters and what
// is not ASCII are written otherwise.
std::vector<std::string> secret_forms(std::string_view value);

}  // namespace capsule
