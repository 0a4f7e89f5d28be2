// Users of their own for capsules, where the manager is root: numbers of one range, each given to one capsule at a
// time. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <set>

namespace capsule {

class UserRange {
 public:
  UserRange(uint32_t first, uint32_t count) : first_(first), count_(count) {}

  // In turn, so that a number is not used again at once.
  // None when all are in use.
  std::optional<uint32_t> take();
  void give_back(uint32_t user) { used_.erase(user); }

 private:
  uint32_t first_, count_;
  uint32_t next_ = 0;
  std::set<uint32_t> used_;
};

}  // namespace capsule
