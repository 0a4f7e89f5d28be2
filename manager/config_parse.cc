// TOML to Config; the exceptions of toml++ end here.
#include <algorithm>
#include <array>
#include <cmath>

#include "base/utf8.h"
#include "manager/config_content.h"
#include "manager/config_table.h"
#include "protocol/limits.h"

namespace capsule {
namespace {

constexpr size_t kShownBytes = 60;  // of a value in an error

struct Problem {
  toml::source_position at;
  std::string text;
};

bool is_before(const toml::source_position& a, const toml::source_position& b) {
  return a.line != b.line ? a.line < b.line : a.column < b.column;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::string_view last_part(std::string_view name) {
  const size_t dot = name.rfind('.');
  return dot == name.npos ? name : name.substr(dot + 1);
}

// The known name that is closest, be it that the table or that the key is misspelt or missing.
std::string_view nearest(std::string_view name, const std::vector<std::string_view>& known) {
  constexpr size_t kLongestCompared = 128;
  name = name.substr(0, kLongestCompared);
  const auto distance = [&](std::string_view candidate) {
    const size_t in_another_table = edit_distance(last_part(name), last_part(candidate)) + 2;
    return std::min(edit_distance(name, candidate), in_another_table);
  };
  return *std::min_element(known.begin(), known.end(), [&](auto a, auto b) { return distance(a) < distance(b); });
}

// [a-z0-9-]{1,64}
bool is_profile_name(std::string_view name) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !name.empty() && name.size() <= limits::kIdBytes && std::all_of(name.begin(), name.end(), allowed);
}

bool is_printable(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 127; });
}

// Two knobs of which the first must not pass the second.
struct Order {
  std::string_view lower, upper;
  bool may_be_equal;
};
constexpr std::array kOrders{Order{"pool.min", "pool.max", true},
                             Order{"run.timeout_s", "run.max_timeout_s", true},
                             Order{"run.output_bytes", "run.max_output_bytes", true},
                             Order{"limits.memory_soft_bytes", "limits.memory_bytes", true},
                             Order{"breaker.backoff_min_s", "breaker.backoff_max_s", true},
                             Order{"worker.suspect_after", "worker.lost_after", false}};

double as_number(const KnobValue& value) {
  if (const auto* count = std::get_if<uint64_t>(&value)) return static_cast<double>(*count);
  return std::get<double>(value);
}

// One pass over a parsed file. Goes on after a problem, so that the one reported is the first in the file.
class Reader {
 public:
  Config read(const toml::table& file) {
    const toml::table* profiles = nullptr;
    for (const auto& [key, node] : file) {
      if (key.str() == "profiles") {
        profiles = node.as_table();
        if (profiles == nullptr) wrong(key, "profiles", node, "tables named [profiles.NAME]");
      } else if (const Knob* knob = find_knob(key.str()); knob != nullptr) {
        read_knob_value(*knob, node, "", config_);
      } else {
        read_section(key, node, "", config_);
      }
    }
    check_orders(file, "", config_);
    for (auto& entry : config_.profiles) entry.second.settings = config_.defaults;
    if (profiles != nullptr) read_profiles(*profiles);
    check_default_profile(file);
    return std::move(config_);
  }

  const std::vector<Problem>& problems() const { return problems_; }

 private:
  void problem(const toml::source_position& at, std::string text) {
    constexpr size_t kMostProblems = 1000;
    if (problems_.size() < kMostProblems) problems_.push_back({at, std::move(text)});
  }

  void wrong(const toml::key& key, std::string_view name, const toml::node& node, std::string_view allowed) {
    problem(key.source().begin,
            std::string(name) + ": found " + describe_found(node) + "; allowed: " + std::string(allowed));
  }

  void unknown(const toml::key& key, std::string_view prefix, std::string_view name) {
    std::vector<std::string_view> known;
    for (const Knob& knob : all_knobs()) {
      if (!prefix.empty() && !is_profile_section(knob.section())) continue;
      known.push_back(knob.name);
      if (!knob.section().empty()) known.push_back(knob.section());
    }
    if (prefix.empty()) {
      known.emplace_back("profiles");
    } else {
      known.insert(known.end(), content_keys().begin(), content_keys().end());
    }
    problem(key.source().begin, std::string(prefix) + escape_control(name.substr(0, kShownBytes)) +
                                    ": no such knob or table; the nearest is " + std::string(prefix) +
                                    std::string(nearest(name, known)));
  }

  // `prefix` is "profiles.NAME." inside a profile; `into.defaults` is then that profile's settings.
  void read_section(const toml::key& key, const toml::node& node, const std::string& prefix, Config& into) {
    const std::string section(key.str());
    const auto knobs = all_knobs();
    const bool known = std::any_of(knobs.begin(), knobs.end(),
                                   [&](const Knob& knob) { return !section.empty() && knob.section() == section; });
    if (!known) return unknown(key, prefix, section);
    if (!prefix.empty() && !is_profile_section(section)) {
      return problem(key.source().begin,
                     prefix + section + ": is one for all profiles; set it in the top-level table [" + section + "]");
    }
    const toml::table* table = node.as_table();
    if (table == nullptr) return wrong(key, prefix + section, node, "a table, [" + prefix + section + "]");
    for (const auto& [name, value] : *table) {
      const std::string full = section + "." + std::string(name.str());
      if (const Knob* knob = find_knob(full); knob != nullptr) {
        read_knob_value(*knob, value, prefix, into);
      } else {
        unknown(name, prefix, full);
      }
    }
  }

  void read_knob_value(const Knob& knob, const toml::node& node, const std::string& prefix, Config& into) {
    const auto refuse = [&] {
      problem(node.source().begin, prefix + std::string(knob.name) + ": found " + describe_found(node) +
                                       "; allowed: " + describe_allowed(knob));
    };
    if (knob.is_text()) {
      const auto* text = node.as_string();
      if (text == nullptr || !text_is_allowed(knob, text->get())) return refuse();
      return write_text(knob, into, text->get());
    }
    double value = 0;
    if (const auto* integer = node.as_integer()) {
      value = static_cast<double>(integer->get());
    } else if (const auto* real = node.as_floating_point(); real != nullptr && knob.is_real()) {
      value = real->get();
    } else {
      return refuse();
    }
    if (!(value >= knob.min && value <= knob.max)) return refuse();  // written so that NaN is refused
    write_number(knob, into, value);
  }

  static bool text_is_allowed(const Knob& knob, const std::string& text) {
    if (!knob.words.empty()) return std::find(knob.words.begin(), knob.words.end(), text) != knob.words.end();
    return static_cast<double>(text.size()) <= knob.max && is_printable(text);
  }

  void read_profiles(const toml::table& profiles) {
    for (const auto& [key, node] : profiles) {
      const std::string name(key.str());
      const toml::table* table = node.as_table();
      if (table == nullptr) {
        wrong(key, "profiles." + name, node, "a table, [profiles." + name + "]");
      } else if (!is_profile_name(name)) {
        problem(key.source().begin,
                "profiles: found the name " + quoted(name) + "; allowed: 1 to 64 of a-z, 0-9 and -");
      } else if (config_.profiles.size() >= kProfiles && config_.profiles.count(name) == 0) {
        problem(key.source().begin,
                "profiles: found more than allowed: " + std::to_string(kProfiles) + ", built-in ones included");
      } else {
        read_profile(name, *table);
      }
    }
  }

  void read_profile(const std::string& name, const toml::table& table) {
    const std::string prefix = "profiles." + name + ".";
    Profile& profile = config_.profiles.try_emplace(name, Profile{name, {}, {}, config_.defaults}).first->second;
    Config scratch;  // rows write to `defaults`
    scratch.defaults = profile.settings;
    const auto& own = content_keys();
    for (const auto& [key, node] : table) {
      if (std::find(own.begin(), own.end(), key.str()) == own.end()) read_section(key, node, prefix, scratch);
    }
    read_content(table, prefix, profile,
                 [this](const toml::source_position& at, std::string text) { problem(at, std::move(text)); });
    check_orders(table, prefix, scratch);
    profile.settings = scratch.defaults;
  }

  // Reports at whichever of the two this table sets; a violation without either was reported further up.
  void check_orders(const toml::table& table, const std::string& prefix, const Config& config) {
    for (const Order& order : kOrders) {
      const double lower = as_number(read_knob(*find_knob(order.lower), config));
      const double upper = as_number(read_knob(*find_knob(order.upper), config));
      if (lower < upper || (order.may_be_equal && lower == upper)) continue;
      toml::node_view<const toml::node> culprit = table.at_path(order.lower);
      if (!culprit) culprit = table.at_path(order.upper);
      if (!culprit) continue;
      problem(culprit.node()->source().begin, prefix + std::string(order.lower) + ": found " + format_number(lower) +
                                                  "; allowed: " + (order.may_be_equal ? "at most " : "less than ") +
                                                  std::string(order.upper) + ", which is " + format_number(upper));
    }
  }

  void check_default_profile(const toml::table& file) {
    const toml::node* node = file.get("default_profile");
    if (node == nullptr || config_.default_profile.empty() || config_.profiles.count(config_.default_profile) != 0) {
      return;
    }
    std::string names;
    for (const auto& entry : config_.profiles) names += (names.empty() ? "" : ", ") + entry.first;
    problem(node->source().begin,
            "default_profile: found " + quoted(config_.default_profile) + "; allowed: one of the profiles " + names);
  }

  Config config_ = default_config();
  std::vector<Problem> problems_;
};

std::string place(const std::string& file_name, const toml::source_position& at) {
  return file_name + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": ";
}

Result<toml::table> parse_toml(std::string_view text, const std::string& file_name) {
  try {
    return toml::parse(text, file_name);
  } catch (const toml::parse_error& error) {
    return failure(Errc::kInvalid, place(file_name, error.source().begin) +
                                       "not valid TOML: " + escape_control(replace_invalid_utf8(error.description())));
  }
}

}  // namespace

std::string quoted(std::string_view text) {
  const std::string shown = replace_invalid_utf8(text.substr(0, kShownBytes));
  return "\"" + escape_control(shown) + (text.size() > kShownBytes ? "…\"" : "\"");
}

std::string describe_found(const toml::node& node) {
  if (const auto* text = node.as_string()) return quoted(text->get());
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* number = node.as_floating_point()) {
    return std::isfinite(number->get()) ? format_number(number->get()) : "a number that is not finite";
  }
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  if (node.is_table()) return "a table";
  if (node.is_array()) return "an array";
  return "a date or time";
}

Result<Config> parse_config(std::string_view toml_text, std::string file_name) {
  if (toml_text.size() > kConfigBytes) {
    return failure(Errc::kTooLarge, file_name + ": found " + std::to_string(toml_text.size()) +
                                        " bytes; allowed: at most " + std::to_string(kConfigBytes));
  }
  const Result<toml::table> file = parse_toml(toml_text, file_name);
  if (!file) return tl::unexpected<Error>(file.error());
  Reader reader;
  Config config = reader.read(*file);
  const auto& problems = reader.problems();
  if (problems.empty()) return config;
  const auto first = std::min_element(problems.begin(), problems.end(),
                                      [](const Problem& a, const Problem& b) { return is_before(a.at, b.at); });
  std::string text = place(file_name, first->at) + first->text;
  if (problems.size() > 1) text += " (and " + std::to_string(problems.size() - 1) + " more)";
  return failure(Errc::kInvalid, std::move(text));
}

}  // namespace capsule
