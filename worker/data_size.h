// The memory of this process that counts against RLIMIT_DATA.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace capsule {

Result<uint64_t> data_bytes();

}  // namespace capsule
