// Made-up time for tests: moments after a fixed start that is well away from the clock's zero.
#pragma once

#include <chrono>

#include "base/clock.h"

namespace capsule {

using namespace std::chrono_literals;

inline TimePoint at(Duration since_start) { return TimePoint{} + 1000h + since_start; }

}  // namespace capsule
