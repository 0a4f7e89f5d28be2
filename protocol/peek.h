// Reads the type and single fields of a payload in place. Never allocates, for the worker's link thread, which must go
// on when memory is exhausted; the codec decodes everything else. Only what is asked for is checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace capsule::peek {

// Counts the values of a payload without making any. A parser that makes objects of them needs some 24 bytes of memory
// for a byte of input, so the codec asks here first.
enum class Shape { kFits, kTooManyValues, kMalformed };
Shape shape(std::string_view payload, uint64_t max_values);

std::string_view type(std::string_view payload);  // empty when there is none
std::optional<std::string_view> text(std::string_view payload, std::string_view field);
std::optional<uint64_t> number(std::string_view payload, std::string_view field);
std::optional<bool> flag(std::string_view payload, std::string_view field);

}  // namespace capsule::peek
