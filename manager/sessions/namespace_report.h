// What a worker told of its namespace, made anew: the worker is hostile, so nothing is taken over but what fits the
// bounds, field by field. Pure. For .cc files only: it brings the JSON library along.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace capsule {

inline constexpr size_t kNamespaceReportBytes = 1u << 20;
inline constexpr size_t kNamespaceRows = 1000;
inline constexpr size_t kNamespaceTextBytes = 512;  // of a name or a type

// `key` empty: names as they are. Else names, and types of the program's own, become keyed hashes (32 hexadecimal
// digits of HMAC-SHA256): the same name has the same hash as long as this manager lives, and nobody can try names.
// kInvalid: this is no report.
Result<nlohmann::ordered_json> read_namespace_report(std::string_view told, std::string_view key);

}  // namespace capsule
