// Byte sizes for people: "64 KiB" in and out.
#pragma once

#include <cstdint>
#include <string>

namespace capsule {

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
inline constexpr uint64_t kGiB = 1024 * kMiB;

// "17 B", "1.5 MiB": one decimal from KiB on.
std::string format_bytes(uint64_t bytes);

}  // namespace capsule
