// UTF-8 for text that came from elsewhere: checked before it is called text, escaped before it is shown.
#pragma once

#include <string>
#include <string_view>

namespace capsule {

bool is_valid_utf8(std::string_view text);

// Every byte that is not part of a valid sequence becomes U+FFFD; for JSON and terminals.
std::string replace_invalid_utf8(std::string_view text);

// Control characters (C0, C1, DEL) other than \n and \t become \xNN, so that text cannot drive a terminal.
std::string escape_control(std::string_view text);

// JSON has C0 escaped by its own rules; DEL and C1, which terminals obey as well, become \u00NN. The same JSON still:
// they can only be part of a string.
std::string escape_control_in_json(std::string_view json);

}  // namespace capsule
