#include "manager/storage/yaml_text.h"

#include <algorithm>
#include <optional>
#include <utility>

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

constexpr size_t kDepthMax = 16;
constexpr std::string_view kItem = "- ";

// Takes the lines of a text one after the other; each knows how far it is indented.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) { next(); }

  bool is_at_end() const { return is_at_end_; }

  bool read_map(Json& into, size_t indent) {
    into = Json::object();
    while (!is_at_end_ && indent_ == indent) {
      const auto key = take_key();
      if (!key || !read_value(into[*key], indent)) return false;
    }
    return true;
  }

 private:
  void next() {
    is_at_end_ = rest_.empty();
    line_ = rest_.substr(0, rest_.find('\n'));
    rest_.remove_prefix(std::min(rest_.size(), line_.size() + 1));
    indent_ = std::min(line_.find_first_not_of(' '), line_.size());
    line_.remove_prefix(indent_);
  }

  // Up to the colon behind it: of a quoted one, behind its closing quote.
  std::optional<std::string> take_key() {
    const bool is_quoted = line_.starts_with('"');
    size_t end = is_quoted ? 1 : line_.find(':');
    while (is_quoted && end < line_.size() && line_[end] != '"') end += line_[end] == '\\' ? 2 : 1;
    if (is_quoted) ++end;
    if (end >= line_.size() || line_[end] != ':') return std::nullopt;
    const std::string_view key = line_.substr(0, end);
    line_.remove_prefix(end + 1);
    if (!is_quoted) return std::string(key);
    const Json text = Json::parse(key, nullptr, false);
    return text.is_string() ? std::optional(text.get<std::string>()) : std::nullopt;
  }

  static bool read_flow(Json& into, std::string_view text) {
    into = Json::parse(text, nullptr, false);
    return !into.is_discarded();
  }

  bool read_value(Json& into, size_t indent) {
    const std::string_view value = line_;
    next();
    if (!value.empty()) return read_flow(into, value);
    if (is_at_end_ || indent_ != indent + 2 || indent_ > 2 * kDepthMax) return false;
    return line_.starts_with(kItem) ? read_list(into, indent_) : read_map(into, indent_);
  }

  bool read_list(Json& into, size_t indent) {
    for (into = Json::array(); !is_at_end_ && indent_ == indent && line_.starts_with(kItem); next()) {
      Json item;
      if (!read_flow(item, line_.substr(kItem.size()))) return false;
      into.push_back(std::move(item));
    }
    return true;
  }

  std::string_view rest_, line_;
  size_t indent_ = 0;
  bool is_at_end_ = false;
};

}  // namespace

Result<Json> read_yaml_text(std::string_view text) {
  Json map;
  Reader reader(text);
  if (!reader.read_map(map, 0) || !reader.is_at_end()) return failure(Errc::kInvalid, "this is no record of a run");
  return map;
}

std::string yaml_text(const Json& map) {
  std::string out;
  write(out, map, 0);
  return out;
}

}  // namespace capsule
