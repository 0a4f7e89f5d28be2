// The table behind config.h: one row a knob. Private to the config_*.cc files.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <type_traits>
#include <variant>

#include "manager/config.h"

namespace capsule {

// In the order of their enums.
inline constexpr std::array<std::string_view, 2> kExhaustionWords{"wait", "fail_fast"};
inline constexpr std::array<std::string_view, 3> kOutputPolicyWords{"block", "truncate", "stop"};
inline constexpr std::array<std::string_view, 3> kRollbackWords{"always", "idle", "off"};
inline constexpr std::array<std::string_view, 2> kForkStandbyWords{"forked", "all"};
inline constexpr std::array<std::string_view, 4> kRecordedWords{"all", "output", "code", "none"};
inline constexpr std::array<std::string_view, 3> kInspectWords{"names", "hashed", "off"};
inline constexpr std::array<std::string_view, 2> kNamespaceWords{"auto", "off"};
inline constexpr std::array<std::string_view, 4> kCgroupWords{"auto", "v2", "v1", "off"};
inline constexpr std::array<std::string_view, 4> kFloorWords{"strict", "standard", "degraded", "unsafe"};

template <class T>
using Slot = T& (*)(Config&);
using AnySlot = std::variant<Slot<uint64_t>, Slot<Duration>, Slot<double>, Slot<std::string>, Slot<Exhaustion>,
                             Slot<OutputPolicy>, Slot<NamespaceMode>, Slot<CgroupMode>, Slot<Floor>, Slot<RollbackMode>,
                             Slot<RecordedContent>, Slot<InspectMode>, Slot<ForkStandbyOf>>;

// A number (durations in seconds) or a text, so that rows can simply be written down.
struct Standard {
  template <class N>
  requires std::is_arithmetic_v<N>
  constexpr Standard(N n) : number(static_cast<double>(n)) {}
  template <size_t N>
  constexpr Standard(const char (&literal)[N]) : text(literal) {}

  double number = 0;
  std::string_view text;
};

struct Knob {
  std::string_view name;  // "pool.warm"; the part before the dot is the TOML table
  std::string_view unit;
  AnySlot slot;
  Standard standard;
  double min = 0;  // numbers: bounds, both allowed; texts: bytes
  double max = 0;
  std::string_view description;
  std::span<const std::string_view> words = {};  // not empty: one of these

  std::string_view section() const { return name.substr(0, name.find('.') == name.npos ? 0 : name.find('.')); }
  bool is_text() const { return !std::holds_alternative<Slot<uint64_t>>(slot) && !is_real(); }
  bool is_real() const {
    return std::holds_alternative<Slot<Duration>>(slot) || std::holds_alternative<Slot<double>>(slot);
  }
};

std::span<const Knob> all_knobs();
const Knob* find_knob(std::string_view name);

// Whether profiles may have this table of their own.
bool is_profile_section(std::string_view section);

// Reading and writing through a row. Profile-level rows mean `config.defaults`. The value must have been checked.
KnobValue read_knob(const Knob& knob, const Config& config);
void write_number(const Knob& knob, Config& config, double value);
void write_text(const Knob& knob, Config& config, std::string_view value);

// "from 0 to 256 workers", "one of wait, fail_fast"
std::string describe_allowed(const Knob& knob);
// Without an exponent or needless zeros: "0.1", "67108864".
std::string format_number(double value);

}  // namespace capsule
