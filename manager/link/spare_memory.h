// What a run's session holds and can do without when memory runs short: its snapshots, but for the one it goes back to.
// Handed from the session to the run's LimitGuard; used on the loop's thread.
#pragma once

#include <cstdint>
#include <functional>

namespace capsule {

struct SpareMemory {
  std::function<bool()> is_there;                      // empty: a run of its own, which has none
  std::function<bool(uint64_t used_bytes)> give_some;  // the oldest; it comes back in a moment. False: there is none
};

}  // namespace capsule
