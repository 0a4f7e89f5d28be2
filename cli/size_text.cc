#include "cli/size_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "base/bytes.h"

namespace capsule::cli {
namespace {

constexpr std::array<std::pair<std::string_view, uint64_t>, 11> kUnits{{
    {"", 1},
    {"b", 1},
    {"k", kKiB},
    {"m", kMiB},
    {"g", kGiB},
    {"kib", kKiB},
    {"mib", kMiB},
    {"gib", kGiB},
    {"kb", 1000},
    {"mb", 1000 * 1000},
    {"gb", 1000 * 1000 * 1000},
}};

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace

Result<uint64_t> parse_size_bytes(std::string_view text) {
  const auto wrong = [&] {
    return failure(Errc::kInvalid, "'" + std::string(text) + "' is not a size; write 4096, 64KiB or 10M");
  };
  uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{}) return wrong();
  std::string_view rest(stop, static_cast<size_t>(end - stop));
  if (rest.starts_with(' ')) rest.remove_prefix(1);
  const std::string unit = lower_case(rest);
  for (const auto& [name, factor] : kUnits) {
    if (unit != name) continue;
    if (number > std::numeric_limits<uint64_t>::max() / factor) return wrong();
    return number * factor;
  }
  return wrong();
}

Result<uint64_t> parse_whole_number(std::string_view text) {
  uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc{} && stop == end) return number;
  return failure(Errc::kInvalid, "'" + std::string(text) + "' is not a number from 0 to " +
                                     std::to_string(std::numeric_limits<uint64_t>::max()));
}

Result<uint64_t> parse_seconds_as_ms(std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || !(value > 0) || value > kMaxTimeoutS) {
    return failure(Errc::kInvalid, "'" + std::string(text) +
                                       "' is not a time; write seconds above 0, such as 2 or 0.5, and up to " +
                                       std::to_string(static_cast<uint64_t>(kMaxTimeoutS)) + " (30 days)");
  }
  return static_cast<uint64_t>(std::ceil(value * 1000));
}

}  // namespace capsule::cli
