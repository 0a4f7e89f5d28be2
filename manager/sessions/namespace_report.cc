#include "manager/sessions/namespace_report.h"

#include <algorithm>
#include <array>

#include "base/digest.h"
#include "base/utf8.h"

namespace capsule {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kDepth = 4;  // document, list, entry, shape
constexpr uint64_t kNumberMax = 1ull << 53;
constexpr size_t kDimensions = 8;
constexpr size_t kHashDigits = 32;
constexpr std::array<const char*, 4> kKinds{"function", "class", "module", "data"};

Json number_of(const Json& map, const char* key) {
  const auto found = map.find(key);
  if (found == map.end() || !found->is_number_unsigned()) return nullptr;
  return std::min(found->get<uint64_t>(), kNumberMax);
}

Json text_of(const Json& map, const char* key) {
  const auto found = map.find(key);
  if (found == map.end() || !found->is_string()) return nullptr;
  return replace_invalid_utf8(std::string_view(found->get_ref<const std::string&>()).substr(0, kNamespaceTextBytes));
}

Json hidden(const Json& text, std::string_view key) {
  if (key.empty() || !text.is_string()) return text;
  return hex_text(keyed_digest(key, text.get_ref<const std::string&>())).substr(0, kHashDigits);
}

// With a key the worker was told to hash names of the program's own: what it claims not to be one could be anything, so
// only names of modules that everybody has, dots included, stay readable.
bool is_plain_type(const std::string& type) {
  const auto is_plain = [](char c) {
    return c == '.' || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  constexpr std::array<std::string_view, 4> kKnown{"numpy.", "pandas.", "collections.", "datetime."};
  constexpr std::array<std::string_view, 18> kBuiltins{
      "int",    "float",     "complex",  "bool",     "str",
      "bytes",  "bytearray", "list",     "tuple",    "dict",
      "set",    "range",     "type",     "function", "builtin_function_or_method",
      "module", "NoneType",  "frozenset"};
  if (!std::all_of(type.begin(), type.end(), is_plain)) return false;
  return std::find(kBuiltins.begin(), kBuiltins.end(), type) != kBuiltins.end() ||
         std::any_of(kKnown.begin(), kKnown.end(), [&](std::string_view module) { return type.starts_with(module); });
}

Json shape_of(const Json& entry) {
  const auto found = entry.find("shape");
  if (found == entry.end() || !found->is_array()) return nullptr;
  Json shape = Json::array();
  for (const Json& each : *found) {
    if (!each.is_number_unsigned() || shape.size() == kDimensions) return nullptr;
    shape.push_back(std::min(each.get<uint64_t>(), kNumberMax));
  }
  return shape;
}

Json entry_of(const Json& told, std::string_view key) {
  Json entry = {{"name", hidden(text_of(told, "name"), key)}};
  const auto kind = std::find(kKinds.begin(), kKinds.end(), told.value("kind", Json()));
  entry["kind"] = kind == kKinds.end() ? Json(nullptr) : Json(*kind);
  const Json type = text_of(told, "type");
  const bool is_readable = key.empty() || (type.is_string() && is_plain_type(type.get_ref<const std::string&>()));
  entry["type"] = is_readable ? type : hidden(type, key);
  entry["bytes"] = number_of(told, "bytes");
  entry["length"] = number_of(told, "length");
  entry["shape"] = shape_of(told);
  const Json dtype = text_of(told, "dtype");
  entry["dtype"] = dtype.is_string() ? Json(dtype.get<std::string>().substr(0, 16)) : Json(nullptr);
  return entry;
}

}  // namespace

Result<Json> read_namespace_report(std::string_view told, std::string_view key) {
  if (told.size() > kNamespaceReportBytes) return failure(Errc::kTooLarge, "the worker told too much");
  const auto shallow = [](int depth, Json::parse_event_t, Json&) { return depth <= kDepth; };
  const Json document = Json::parse(told, shallow, false);
  if (!document.is_object() || !document.contains("list") || !document["list"].is_array()) {
    return failure(Errc::kInvalid, "the worker told something else than its namespace");
  }
  const auto kinds_told = document.find("kinds");
  Json kinds = Json::object();
  for (const char* kind : kKinds) {
    kinds[kind] = kinds_told != document.end() && kinds_told->is_object() ? number_of(*kinds_told, kind) : Json();
  }
  Json list = Json::array();
  for (const Json& each : document["list"]) {
    if (list.size() == kNamespaceRows) break;
    if (each.is_object()) list.push_back(entry_of(each, key));
  }
  return Json{{"names", number_of(document, "names")},
              {"bytes", number_of(document, "bytes")},
              {"kinds", std::move(kinds)},
              {"hashed", !key.empty()},
              {"incomplete", text_of(document, "incomplete")},
              {"list", std::move(list)}};
}

}  // namespace capsule
