#include "manager/intake/token_bucket.h"

#include <algorithm>

namespace capsule {

TokenBucket::TokenBucket(uint64_t per_second, uint64_t burst, TimePoint now)
    : per_second_(static_cast<double>(per_second)),
      burst_(static_cast<double>(burst)),
      tokens_(static_cast<double>(burst)),
      filled_at_(now) {}

Duration TokenBucket::take(uint64_t amount, TimePoint now) {
  if (per_second_ == 0) return Duration::zero();
  if (now > filled_at_) {
    tokens_ = std::min(burst_, tokens_ + per_second_ * to_seconds(now - filled_at_));
    filled_at_ = now;
  }
  tokens_ -= static_cast<double>(amount);
  if (tokens_ >= 0) return Duration::zero();
  const Duration wait = std::chrono::ceil<Duration>(std::chrono::duration<double>(-tokens_ / per_second_));
  ++waits_;
  waited_ += wait;
  return wait;
}

}  // namespace capsule
