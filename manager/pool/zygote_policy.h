// When a zygote is to be replaced: after so many forks or so long, whichever comes first. Pure.
// Each zygote draws its own limits once, when it starts, so that those of several profiles do not fall due together.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "manager/config.h"

namespace capsule {

enum class ZygoteReplacement { kForks, kAge };
std::string_view to_string(ZygoteReplacement reason);  // forks, age

class ZygoteLifetime {
 public:
  // random in [0, 1). A maximum of 0 in the configuration is none.
  ZygoteLifetime(const PoolConfig& config, TimePoint started_at, double random);

  std::optional<ZygoteReplacement> due(uint64_t forks, TimePoint now) const;
  TimePoint age_limit_at() const { return age_limit_at_; }  // for a timer; TimePoint::max() without an age limit
  uint64_t forks_limit() const { return forks_limit_; }     // UINT64_MAX without one

 private:
  uint64_t forks_limit_;
  TimePoint age_limit_at_;
};

// `base` less up to `ratio` of it: never longer than what was configured. random in [0, 1).
Duration jittered(Duration base, double ratio, double random);

}  // namespace capsule
