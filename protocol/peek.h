// Reads the type and single fields of a payload in place. Never allocates, for the worker's link thread, which must go
// on when memory is exhausted; the codec decodes everything else. Only what is asked for is checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace capsule::peek {

std::string_view type(std::string_view payload);  // empty when there is none
std::optional<std::string_view> text(std::string_view payload, std::string_view field);
std::optional<uint64_t> number(std::string_view payload, std::string_view field);
std::optional<bool> flag(std::string_view payload, std::string_view field);

}  // namespace capsule::peek
