// What a worker's `finished` may say of itself in numbers. It is the program's own address space that says them, so
// each has a bound that an honest one cannot pass: they are summed up in metrics that others look at. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"
#include "protocol/message.h"

namespace capsule {

// A run is interrupted once; late ones of runs before it come along with the next one that ends by itself.
inline constexpr uint64_t kLateInterruptsMax = 16;
// A call that held the loop was noticed after this much (worker/python/_capsule_loop.py): more do not fit into a run.
inline constexpr milliseconds kHeldLoop{100};

inline void bound_claim(Evidence& said, Duration ran) {
  said.late_interrupts = std::min(said.late_interrupts, kLateInterruptsMax);
  const auto held_max = static_cast<uint64_t>(std::max(ran, Duration::zero()) / kHeldLoop);
  said.blocking_calls = static_cast<uint32_t>(std::min<uint64_t>(said.blocking_calls, held_max));
}

}  // namespace capsule
