#include "manager/config_content.h"

#include <algorithm>
#include <charconv>

#include "base/utf8.h"

namespace capsule {
namespace {

constexpr size_t kHostBytes = 253;  // RFC 1035, without the final dot
constexpr size_t kVariableNameBytes = 128;
constexpr const char* kNetworkForms = "\"none\", \"loopback\" or an array of \"host:port\"";

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Dotted ASCII identifiers: what `import` takes, and nothing that could be code.
bool is_module_name(std::string_view name) {
  if (name.empty() || name.size() > kModuleNameBytes) return false;
  bool at_start = true;
  for (const char c : name) {
    if (c == '.' ? at_start : !(is_letter(c) || (is_digit(c) && !at_start))) return false;
    at_start = c == '.';
  }
  return !at_start;
}

// Absolute and in its shortest form, so that what is checked is what is mounted.
bool is_clean_path(std::string_view path) {
  if (path.size() < 2 || path.size() > kKnobTextBytes || path.front() != '/' || path.back() == '/') return false;
  if (path.find('\0') != path.npos || path.find("//") != path.npos) return false;
  const std::string closed = std::string(path) + "/";
  return closed.find("/./") == closed.npos && closed.find("/../") == closed.npos;
}

bool is_variable_value(std::string_view value) {
  return value.size() <= kKnobTextBytes && value.find('\0') == value.npos && is_valid_utf8(value);
}

class ContentReader {
 public:
  ContentReader(const std::string& prefix, Profile& into, const ReportProblem& report)
      : prefix_(prefix), into_(into), report_(report) {}

  void read(std::string_view key, const toml::source_position& at, const toml::node& node) {
    at_ = at;
    key_ = key;
    if (key == "preload") {
      into_.preload = texts(node, kPreloadModules, is_module_name, "a module name such as \"os.path\"");
    } else if (key == "packages") {
      into_.content.packages = texts(node, kMounts, is_clean_path, "an absolute path without . and ..");
    } else if (key == "environment_from_host") {
      into_.content.environment_from_host = texts(node, kVariables, is_variable_name, "a variable's name");
    } else if (key == "environment") {
      read_environment(node);
    } else if (key == "subprocess") {
      const auto* flag = node.as_boolean();
      flag != nullptr ? void(into_.content.subprocess = flag->get()) : wrong(at, node, "true or false");
    } else if (key == "mounts") {
      read_mounts(node);
    } else if (key == "network") {
      read_network(node);
    }
  }

 private:
  void wrong(const toml::source_position& at, const toml::node& node, std::string_view allowed) {
    report_(at, prefix_ + key_ + ": found " + describe_found(node) + "; allowed: " + std::string(allowed));
  }

  const toml::array* bounded_array(const toml::node& node, size_t max, std::string_view of_what) {
    const toml::array* array = node.as_array();
    if (array == nullptr) {
      wrong(at_, node, "an array, each entry " + std::string(of_what));
    } else if (array->size() > max) {
      report_(at_, prefix_ + key_ + ": found " + std::to_string(array->size()) + " entries; allowed: at most " +
                       std::to_string(max));
      array = nullptr;
    }
    return array;
  }

  template <class Check>
  std::vector<std::string> texts(const toml::node& node, size_t max, Check is_good, std::string_view of_what) {
    std::vector<std::string> all;
    const toml::array* array = bounded_array(node, max, of_what);
    if (array == nullptr) return all;
    for (const toml::node& element : *array) {
      const auto* text = element.as_string();
      if (text == nullptr || !is_good(text->get())) {
        wrong(element.source().begin, element, of_what);
      } else {
        all.push_back(text->get());
      }
    }
    return all;
  }

  void read_environment(const toml::node& node) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return wrong(at_, node, "a table of texts, such as { LANG = \"C.UTF-8\" }");
    if (table->size() > kVariables) {
      return report_(at_, prefix_ + key_ + ": found " + std::to_string(table->size()) +
                              " variables; allowed: at most " + std::to_string(kVariables));
    }
    into_.content.environment.clear();
    for (const auto& [name, value] : *table) {
      const auto* text = value.as_string();
      if (!is_variable_name(name.str())) {
        report_(name.source().begin,
                prefix_ + key_ + ": found the name " + quoted(name.str()) + "; allowed: letters, digits and _");
      } else if (text == nullptr || !is_variable_value(text->get())) {
        wrong(name.source().begin, value, "a text of at most 4096 bytes");
      } else {
        into_.content.environment[std::string(name.str())] = text->get();
      }
    }
  }

  void read_mounts(const toml::node& node) {
    constexpr std::string_view kForm = "{ source = \"/host/path\", target = \"/path/inside\" }";
    const toml::array* array = bounded_array(node, kMounts, kForm);
    if (array == nullptr) return;
    into_.content.mounts.clear();
    for (const toml::node& element : *array) {
      const toml::table* table = element.as_table();
      const auto path = [&](const char* key) {
        const auto* text = table == nullptr ? nullptr : table->get_as<std::string>(key);
        return text != nullptr && is_clean_path(text->get()) ? text->get() : std::string();
      };
      ReadOnlyMount mount{path("source"), path("target")};
      if (mount.source.empty() || mount.target.empty() || table->size() != 2) {
        wrong(element.source().begin, element, std::string(kForm) + ", both absolute, without . and ..");
      } else {
        into_.content.mounts.push_back(std::move(mount));
      }
    }
  }

  void read_network(const toml::node& node) {
    ProfileContent& content = into_.content;
    content.allowed_hosts.clear();
    if (const auto* word = node.as_string()) {
      if (word->get() != "none" && word->get() != "loopback") return wrong(at_, node, kNetworkForms);
      content.network = word->get() == "none" ? NetworkMode::kNone : NetworkMode::kLoopback;
      return;
    }
    const toml::array* array = node.as_array();
    if (array == nullptr) return wrong(at_, node, kNetworkForms);
    if (bounded_array(node, kAllowedHosts, "\"host:port\"") == nullptr) return;
    for (const toml::node& element : *array) {
      const auto* text = element.as_string();
      const auto host = text == nullptr ? failure(Errc::kInvalid, "") : parse_allowed_host(text->get());
      host ? content.allowed_hosts.push_back(*host)
           : wrong(element.source().begin, element, "\"host:port\", port 1 to 65535, such as \"pypi.org:443\"");
    }
    content.network = content.allowed_hosts.empty() ? NetworkMode::kNone : NetworkMode::kProxy;
  }

  const std::string& prefix_;
  Profile& into_;
  const ReportProblem& report_;
  toml::source_position at_{};
  std::string key_;
};

}  // namespace

bool is_variable_name(std::string_view name) {
  return !name.empty() && name.size() <= kVariableNameBytes && is_letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || is_digit(c); });
}

const std::vector<std::string_view>& content_keys() {
  static const std::vector<std::string_view> kKeys{"preload",     "network",  "subprocess",           "mounts",
                                                   "environment", "packages", "environment_from_host"};
  return kKeys;
}

void read_content(const toml::table& table, const std::string& prefix, Profile& into, const ReportProblem& report) {
  ContentReader reader(prefix, into, report);
  for (const auto& [key, node] : table) reader.read(key.str(), key.source().begin, node);
}

Result<AllowedHost> parse_allowed_host(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == text.npos) return failure(Errc::kInvalid, "a port is missing");
  std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto allowed = [&](char c) {
    return is_letter(c) || is_digit(c) || c == '-' || c == '.' || (bracketed && c == ':');
  };
  if (host.empty() || host.size() > kHostBytes || !std::all_of(host.begin(), host.end(), allowed)) {
    return failure(Errc::kInvalid, "not a host name or address");
  }
  AllowedHost result;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), result.port);
  if (error != std::errc() || end != port.data() + port.size() || result.port == 0) {
    return failure(Errc::kInvalid, "not a port from 1 to 65535");
  }
  for (const char c : host) result.host += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

}  // namespace capsule
