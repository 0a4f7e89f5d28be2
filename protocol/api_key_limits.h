// What an API key for HTTP may be made with: the manager sees to it, the command says it.
#pragma once

#include <cstdint>

namespace capsule {

inline constexpr uint64_t kKeyRequestsPerMinute = 60'000;  // the largest limit
inline constexpr uint64_t kKeyDays = 3650;

}  // namespace capsule
