// Variables that systemd leaves for this process alone: read once and removed, so that no child inherits them.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace capsule {

// Empty when it is not set. Not for use beside other threads.
std::string take_variable(const char* name);

// Decimal digits only; the error names the variable.
Result<uint64_t> parse_variable_number(const char* name, const std::string& text);

}  // namespace capsule
