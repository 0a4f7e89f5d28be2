// JSON as YAML for people: maps in blocks, everything else as JSON writes it, which is YAML, too (YAML 1.2, 1.3). So no
// text of a program can become structure. Pure. For .cc files only: it brings the JSON library along.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace capsule {

// A map of keys of [a-z_-]; text that is not UTF-8 is replaced. Ends in a newline.
std::string yaml_text(const nlohmann::ordered_json& map);

// What yaml_text() wrote; kInvalid: this is something else. Other YAML is not understood.
Result<nlohmann::ordered_json> read_yaml_text(std::string_view text);

}  // namespace capsule
