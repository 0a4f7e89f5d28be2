// For conditions that can come thousands of times a second: the first is worth a line, and then one line now and then
// that says how many there were. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "base/clock.h"

namespace capsule {

class Seldom {
 public:
  static constexpr seconds kInterval{10};

  // How many were left out since the last line; none: this one is left out, too.
  std::optional<uint64_t> pass(TimePoint now) {
    if (next_ && now < *next_) {
      ++left_out_;
      return std::nullopt;
    }
    next_ = now + kInterval;
    return std::exchange(left_out_, 0);
  }

 private:
  std::optional<TimePoint> next_;
  uint64_t left_out_ = 0;
};

}  // namespace capsule
