// Numbers as people write them on a command line.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace capsule::cli {

// "4096", "64KiB", "10M": bytes. K, M, G and KiB, MiB, GiB count by 1024, kB, MB and GB by 1000; letters in any case.
Result<uint64_t> parse_size_bytes(std::string_view text);

// "4096": digits and nothing else, up to 2^64-1. CLI11 by itself takes -1 and 2^64 for the largest number there is.
Result<uint64_t> parse_whole_number(std::string_view text);

// "2", "0.5": seconds to whole milliseconds, rounded up so that nothing becomes 0, which would mean "the default".
inline constexpr double kMaxTimeoutS = 30.0 * 24 * 3600;  // the text of its error says it, too
Result<uint64_t> parse_seconds_as_ms(std::string_view text);

}  // namespace capsule::cli
