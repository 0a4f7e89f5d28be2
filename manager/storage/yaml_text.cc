#include "manager/storage/yaml_text.h"

#include <algorithm>

namespace capsule {
namespace {

using Json = nlohmann::ordered_json;

std::string flow(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

bool is_plain_key(const std::string& key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  }) && key.front() >= 'a';
}

void write(std::string& out, const Json& map, size_t indent) {
  for (const auto& [key, value] : map.items()) {
    out.append(indent, ' ').append(is_plain_key(key) ? key : flow(Json(key))).append(":");
    if (value.is_object() && !value.empty()) {
      out += "\n";
      write(out, value, indent + 2);
    } else if (value.is_array() && !value.empty()) {
      out += "\n";
      for (const Json& item : value) out.append(indent + 2, ' ').append("- ").append(flow(item)).append("\n");
    } else {
      out.append(" ").append(flow(value)).append("\n");
    }
  }
}

}  // namespace

std::string yaml_text(const Json& map) {
  std::string out;
  write(out, map, 0);
  return out;
}

}  // namespace capsule
