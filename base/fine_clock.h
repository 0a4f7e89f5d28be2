// The wall clock, finer than clock.h has it: for spans, which are shown beside those of other programs.
#pragma once

#include <cstdint>

namespace capsule {

int64_t wall_clock_us();  // since 1970

}  // namespace capsule
