// What a heartbeat says, read from the kernel without allocating. The manager takes it as a sign of life only; what it
// reports as memory and CPU it reads itself.
#pragma once

#include <utility>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "protocol/message.h"

namespace capsule {

class HeartbeatSampler {
 public:
  // Opens what it reads later, so that a full descriptor table cannot silence it. `interval` > 0.
  static Result<HeartbeatSampler> open(Duration interval, TimePoint now);

  bool is_due(TimePoint now) const { return now >= next_; }
  Duration until_due(TimePoint now) const { return next_ > now ? next_ - now : Duration::zero(); }
  std::pair<int, int> descriptors() const { return {statm_.get(), stat_.get()}; }
  // Advances to the next interval.
  Heartbeat sample(TimePoint now, uint64_t namespace_names);

 private:
  HeartbeatSampler() = default;

  UniqueFd statm_, stat_;
  Duration interval_{};
  TimePoint started_{}, last_{}, next_{};
  uint64_t last_cpu_us_ = 0;
  uint64_t seq_ = 0;
};

}  // namespace capsule
