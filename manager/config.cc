#include "manager/config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>

#include "manager/config_table.h"

namespace capsule {
namespace {

template <class E>
constexpr bool kIsChoice = std::is_enum_v<E>;

// Standard library modules that common programs begin with; each costs its import once, in the zygote.
constexpr std::array kBaseModules{"json",      "re",         "math",      "random",      "datetime",   "collections",
                                  "itertools", "functools",  "pathlib",   "csv",         "io",         "os",
                                  "sys",       "subprocess", "threading", "asyncio",     "traceback",  "decimal",
                                  "fractions", "statistics", "typing",    "dataclasses", "string",     "textwrap",
                                  "hashlib",   "uuid",       "tempfile",  "base64",      "struct",     "time",
                                  "glob",      "shutil",     "copy",      "enum",        "contextlib", "logging"};
constexpr std::array kDataModules{"numpy", "pandas", "matplotlib", "matplotlib.pyplot", "cloudpickle"};

template <class T>
KnobValue as_value(const T& member, const Knob& knob) {
  if constexpr (std::is_same_v<T, Duration>) {
    return to_seconds(member);
  } else if constexpr (kIsChoice<T>) {
    return std::string(knob.words[static_cast<size_t>(member)]);
  } else {
    return member;
  }
}

template <class T>
void assign_number(T& member, double value) {
  if constexpr (std::is_same_v<T, Duration>) {
    member = std::chrono::round<Duration>(std::chrono::duration<double>(value));
  } else if constexpr (std::is_same_v<T, uint64_t>) {
    member = static_cast<uint64_t>(value);
  } else if constexpr (std::is_same_v<T, double>) {
    member = value;
  }
}

template <class T>
void assign_text(T& member, const Knob& knob, std::string_view value) {
  if constexpr (std::is_same_v<T, std::string>) {
    member = value;
  } else if constexpr (kIsChoice<T>) {
    const auto word = std::find(knob.words.begin(), knob.words.end(), value);
    member = static_cast<T>(word - knob.words.begin());
  }
}

KnobValue standard_value(const Knob& knob) {
  if (knob.is_text()) return std::string(knob.standard.text);
  if (knob.is_real()) return knob.standard.number;
  return static_cast<uint64_t>(knob.standard.number);
}

KnobValue bound(const Knob& knob, double value) {
  if (knob.is_real()) return value;
  return static_cast<uint64_t>(value);
}

KnobInfo describe(const Knob& knob, const Config& config, const std::string& prefix) {
  KnobInfo info;
  info.name = prefix + std::string(knob.name);
  info.unit = knob.unit;
  info.value = read_knob(knob, config);
  info.standard = standard_value(knob);
  if (!knob.is_text()) {
    info.min = bound(knob, knob.min);
    info.max = bound(knob, knob.max);
  }
  info.choices.assign(knob.words.begin(), knob.words.end());
  info.description = knob.description;
  return info;
}

}  // namespace

std::string_view to_string(Exhaustion value) { return kExhaustionWords[static_cast<size_t>(value)]; }
std::string_view to_string(RollbackMode value) { return kRollbackWords[static_cast<size_t>(value)]; }
std::string_view to_string(ForkStandbyOf value) { return kForkStandbyWords[static_cast<size_t>(value)]; }
std::string_view to_string(RecordedContent value) { return kRecordedWords[static_cast<size_t>(value)]; }
std::string_view to_string(InspectMode value) { return kInspectWords[static_cast<size_t>(value)]; }
std::string_view to_string(OutputPolicy value) { return kOutputPolicyWords[static_cast<size_t>(value)]; }
std::string_view to_string(CgroupMode value) { return kCgroupWords[static_cast<size_t>(value)]; }
std::string_view to_string(NetworkMode value) {
  switch (value) {
    case NetworkMode::kNone: return "none";
    case NetworkMode::kLoopback: return "loopback";
    case NetworkMode::kProxy: return "proxy";
  }
  return "none";
}
std::string_view to_string(NamespaceMode value) { return kNamespaceWords[static_cast<size_t>(value)]; }
std::string_view to_string(Floor value) { return kFloorWords[static_cast<size_t>(value)]; }

std::optional<RollbackMode> rollback_mode_from_string(std::string_view word) {
  const auto found = std::find(kRollbackWords.begin(), kRollbackWords.end(), word);
  if (found == kRollbackWords.end()) return std::nullopt;
  return static_cast<RollbackMode>(found - kRollbackWords.begin());
}

std::optional<OutputPolicy> output_policy_from_string(std::string_view word) {
  const auto found = std::find(kOutputPolicyWords.begin(), kOutputPolicyWords.end(), word);
  if (found == kOutputPolicyWords.end()) return std::nullopt;
  return static_cast<OutputPolicy>(found - kOutputPolicyWords.begin());
}

const Knob* find_knob(std::string_view name) {
  const auto knobs = all_knobs();
  const auto found = std::find_if(knobs.begin(), knobs.end(), [&](const Knob& knob) { return knob.name == name; });
  return found == knobs.end() ? nullptr : &*found;
}

bool is_profile_section(std::string_view section) {
  constexpr std::array<std::string_view, 6> kSections{"pool", "breaker", "run", "worker", "limits", "sandbox"};
  return std::find(kSections.begin(), kSections.end(), section) != kSections.end();
}

KnobValue read_knob(const Knob& knob, const Config& config) {
  // A slot names a member of a Config that can be written; here it is only read.
  Config& readable = const_cast<Config&>(config);
  return std::visit([&](auto slot) { return as_value(slot(readable), knob); }, knob.slot);
}

void write_number(const Knob& knob, Config& config, double value) {
  std::visit([&](auto slot) { assign_number(slot(config), value); }, knob.slot);
}

void write_text(const Knob& knob, Config& config, std::string_view value) {
  std::visit([&](auto slot) { assign_text(slot(config), knob, value); }, knob.slot);
}

std::string format_number(double value) {
  if (value == std::floor(value)) return std::to_string(static_cast<int64_t>(value));
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  return text;
}

std::string describe_allowed(const Knob& knob) {
  if (!knob.words.empty()) {
    std::string text = "one of";
    for (const std::string_view word : knob.words) text.append(text.size() > 6 ? ", " : " ").append(word);
    return text;
  }
  if (knob.is_text()) return "a text of at most " + format_number(knob.max) + " printable bytes";
  return std::string(knob.is_real() ? "a number" : "an integer") + " from " + format_number(knob.min) + " to " +
         format_number(knob.max) + " " + std::string(knob.unit);
}

Config default_config() {
  Config config;
  for (const Knob& knob : all_knobs()) {
    if (knob.is_text()) {
      write_text(knob, config, knob.standard.text);
    } else {
      write_number(knob, config, knob.standard.number);
    }
  }
  Profile base{"base", {kBaseModules.begin(), kBaseModules.end()}, {}, config.defaults};
  Profile data = base;
  data.name = "data";
  data.preload.insert(data.preload.end(), kDataModules.begin(), kDataModules.end());
  config.profiles.emplace("base", std::move(base));
  config.profiles.emplace("data", std::move(data));
  return config;
}

std::vector<KnobInfo> describe_knobs(const Config& config) {
  std::vector<KnobInfo> infos;
  for (const Knob& knob : all_knobs()) infos.push_back(describe(knob, config, ""));
  for (const auto& [name, profile] : config.profiles) {
    Config own = config;
    own.defaults = profile.settings;
    for (const Knob& knob : all_knobs()) {
      if (!is_profile_section(knob.section()) || read_knob(knob, own) == read_knob(knob, config)) continue;
      infos.push_back(describe(knob, own, "profiles." + name + "."));
    }
  }
  return infos;
}

}  // namespace capsule
