// A condition that is counted each time it becomes true, not each time somebody finds it true.
#pragma once

#include <cstdint>
#include <utility>

namespace capsule {

class Trigger {
 public:
  // Whether this was the edge from unset to set, which is what is counted.
  bool set() {
    const bool was_set = std::exchange(set_, true);
    if (!was_set) ++count_;
    return !was_set;
  }
  void clear() { set_ = false; }
  bool is_set() const { return set_; }
  uint64_t count() const { return count_; }

 private:
  bool set_ = false;
  uint64_t count_ = 0;
};

}  // namespace capsule
