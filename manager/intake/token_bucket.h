// A rate limit that delays instead of refusing. Pure; one thread; one for each connection and kind (frames, bytes),
// and one for the time of each user.
//
// What has arrived is always taken and may leave a debt; the answer is how long to read nothing more from that peer,
// after which the debt is paid. So an amount larger than the burst works too, it just costs its time.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace capsule {

class TokenBucket {
 public:
  // A rate of 0 limits nothing. Starts full.
  TokenBucket(uint64_t per_second, uint64_t burst, TimePoint now);

  // How long to wait before reading on; zero: go on.
  Duration take(uint64_t amount, TimePoint now);

  uint64_t waits() const { return waits_; }    // answers other than zero
  Duration waited() const { return waited_; }  // their sum

 private:
  double per_second_;
  double burst_;
  double tokens_;  // negative: debt
  TimePoint filled_at_;
  uint64_t waits_ = 0;
  Duration waited_{};
};

}  // namespace capsule
