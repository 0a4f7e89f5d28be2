// How deep a JSON text is nested and how much is in it, without parsing it. The JSON library prints by recursion, a
// level of the stack for each level of nesting, and makes an object of each value: what a program or a client has
// written ends the process when it is deep enough, and keeps the loop busy for half a second when it is made of little
// things.
#pragma once

#include <cstddef>
#include <string_view>

namespace capsule {

inline constexpr size_t kJsonDepth = 64;  // levels; more than any honest document has, fewer than a stack holds
// Values that documents about namespaces and checkpoints have at most, some 20 ms of work: they list a few thousand
// names.
inline constexpr size_t kJsonValues = 1u << 16;

struct JsonShape {
  size_t depth = 0;
  size_t values = 0;  // keys too
};

// By brackets, commas and colons outside of strings. Of a text that is no JSON, at least the shape of its longest
// beginning that is.
JsonShape json_shape(std::string_view text);

// What is no JSON comes back discarded, and so does what is nested deeper than kJsonDepth or has more than `values_max`
// values (npos: as many as there are). Never throws for what it is given.
template <class Json>
Json parse_bounded(std::string_view text, size_t values_max) {
  const JsonShape shape = json_shape(text);
  if (shape.depth > kJsonDepth || shape.values > values_max) return Json(Json::value_t::discarded);
  return Json::parse(text, nullptr, false);
}

}  // namespace capsule
