#include "manager/pool/user_range.h"

namespace capsule {

std::optional<uint32_t> UserRange::take() {
  for (uint32_t tries = 0; tries < count_ && used_.size() < count_; ++tries) {
    const uint32_t user = first_ + next_;
    next_ = (next_ + 1) % count_;
    if (used_.insert(user).second) return user;
  }
  return std::nullopt;
}

}  // namespace capsule
