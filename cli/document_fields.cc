#include "cli/document_fields.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "base/bytes.h"
#include "base/utf8.h"

namespace capsule::cli {
namespace {

constexpr const char* kMissing = "-";

std::string formatted(const char* format, auto... values) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

}  // namespace

Result<Json> parse_document(std::string_view json) {
  Json document = Json::parse(json, nullptr, false);
  if (!document.is_object()) return failure(Errc::kInvalid, "the manager's answer is not a JSON document");
  if (count_field(document, "v") != 1) {
    return failure(Errc::kInvalid, "the manager's document has version " + text_field(document, "v") +
                                       "; this command knows version 1");
  }
  return document;
}

const Json& field(const Json& object, std::string_view name) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(std::string(name));
  return found == object.end() ? kNull : *found;
}

const Json& list(const Json& object, std::string_view name) {
  static const Json kEmpty = Json::array();
  const Json& value = field(object, name);
  return value.is_array() ? value : kEmpty;
}

std::string text_of(const Json& value) {
  if (value.is_string()) {
    std::string text = escape_control(replace_invalid_utf8(value.get<std::string>()));
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text.empty() ? kMissing : text;
  }
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number()) return value.dump();
  return kMissing;
}

std::string text_field(const Json& object, std::string_view name) { return text_of(field(object, name)); }

std::string joined(const Json& texts) {
  std::string all;
  for (const Json& each : texts) {
    if (each.is_string()) all += (all.empty() ? "" : ", ") + text_of(each);
  }
  return all;
}

std::string bytes_field(const Json& object, std::string_view name) {
  return field(object, name).is_number() ? format_bytes(count_field(object, name)) : kMissing;
}

std::string seconds_field(const Json& object, std::string_view name) {
  const Json& value = field(object, name);
  return value.is_number() ? duration_text(value.get<double>()) : kMissing;
}

std::string decimal_field(const Json& object, std::string_view name) {
  const Json& value = field(object, name);
  return value.is_number() ? formatted("%.2f", value.get<double>()) : kMissing;
}

uint64_t count_field(const Json& object, std::string_view name) {
  const Json& value = field(object, name);
  if (value.is_number_unsigned()) return value.get<uint64_t>();
  if (!value.is_number()) return 0;
  const double number = value.get<double>();
  return number > 0 && number < 9e18 ? static_cast<uint64_t>(number) : 0;
}

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e12) return kMissing;
  if (seconds < 10) return formatted("%.2fs", seconds);
  const auto whole = static_cast<unsigned long long>(seconds);
  if (whole < 60) return formatted("%llus", whole);
  if (whole < 3600) return formatted("%llum%02llus", whole / 60, whole % 60);
  if (whole < 48 * 3600) return formatted("%lluh%02llum", whole / 3600, whole / 60 % 60);
  return formatted("%llud%02lluh", whole / 86400, whole / 3600 % 24);
}

}  // namespace capsule::cli
