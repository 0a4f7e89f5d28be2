// Reads fields of the manager's documents without ever failing: what is missing or of another type is "-". Strings are
// fit for a terminal, on one line: parts of them are a program's, or come from a checkpoint that somebody else wrote.
// For .cc files only: it brings the JSON library along.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/run_json.h"

namespace capsule::cli {

// An object with "v": 1, or an error that says what it is instead.
Result<Json> parse_document(std::string_view json);

const Json& field(const Json& object, std::string_view name);  // null when it is not there
const Json& list(const Json& object, std::string_view name);   // an empty list when it is not one

std::string text_of(const Json& value);  // strings, numbers, true/false
std::string text_field(const Json& object, std::string_view name);
std::string joined(const Json& texts);                                 // the strings among them: "a, b"; none: ""
std::string bytes_field(const Json& object, std::string_view name);    // "1.5 MiB"
std::string seconds_field(const Json& object, std::string_view name);  // "0.25s", "12s", "3m20s", "5h02m", "3d04h"
std::string decimal_field(const Json& object, std::string_view name);  // two decimals
uint64_t count_field(const Json& object, std::string_view name);       // 0 when it is not a number

std::string duration_text(double seconds);

}  // namespace capsule::cli
