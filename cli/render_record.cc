// `inspect`: a record as indented text. What it has is what is shown, so that nothing new is forgotten here.
#include "base/utf8.h"
#include "cli/document_fields.h"
#include "cli/render_info.h"

namespace capsule::cli {
namespace {

constexpr size_t kNameBytes = 14;  // names are padded to it
constexpr size_t kDepth = 8;

std::string scalar_text(const Json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return escape_control(value.get<std::string>());
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void add(std::string& out, const Json& map, size_t indent) {
  for (const auto& [key, value] : map.items()) {
    std::string name = escape_control(key);
    if (name.size() < kNameBytes) name.resize(kNameBytes, ' ');
    const std::string margin(indent, ' ');
    const bool is_nested = value.is_structured() && !value.empty() && indent < 2 * kDepth;
    if (!is_nested) {
      out += margin + name + " " + (value.is_structured() ? "-" : scalar_text(value)) + "\n";
    } else if (value.is_object()) {
      out += margin + escape_control(key) + "\n";
      add(out, value, indent + 2);
    } else {
      out += margin + escape_control(key) + "\n";
      for (const Json& item : value) out += margin + "  " + scalar_text(item) + "\n";
    }
  }
}

}  // namespace

Result<std::string> render_record(std::string_view json) {
  Result<Json> document = parse_document(json);
  if (!document) return tl::unexpected(document.error());
  document->erase("v");
  std::string out;
  add(out, *document, 0);
  return out;
}

Result<std::string> render_stack(std::string_view json) {
  Result<Json> document = parse_document(json);
  if (!document) return tl::unexpected(document.error());
  std::string out;
  const auto stack = document->find("stack");
  if (stack != document->end() && stack->is_array()) {
    for (const Json& line : *stack) out += scalar_text(line) + "\n";
  }
  if (out.empty()) out = "(" + scalar_text(document->value("missing", Json())) + ")\n";
  return out;
}

}  // namespace capsule::cli
