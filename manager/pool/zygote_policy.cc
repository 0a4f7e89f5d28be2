#include "manager/pool/zygote_policy.h"

#include <algorithm>

namespace capsule {

std::string_view to_string(ZygoteReplacement reason) {
  switch (reason) {
    case ZygoteReplacement::kForks: return "forks";
    case ZygoteReplacement::kAge: return "age";
  }
  return "age";
}

Duration jittered(Duration base, double ratio, double random) {
  return std::chrono::duration_cast<Duration>(base * (1 - ratio * random));
}

ZygoteLifetime::ZygoteLifetime(const PoolConfig& config, TimePoint started_at, double random)
    : forks_limit_(UINT64_MAX), age_limit_at_(TimePoint::max()) {
  if (config.zygote_max_forks != 0) {
    const double limit = static_cast<double>(config.zygote_max_forks) * (1 - config.zygote_jitter_ratio * random);
    forks_limit_ = std::max<uint64_t>(1, static_cast<uint64_t>(limit));
  }
  if (config.zygote_max_age != Duration::zero()) {
    age_limit_at_ = started_at + jittered(config.zygote_max_age, config.zygote_jitter_ratio, random);
  }
}

std::optional<ZygoteReplacement> ZygoteLifetime::due(uint64_t forks, TimePoint now) const {
  if (forks >= forks_limit_) return ZygoteReplacement::kForks;
  if (now >= age_limit_at_) return ZygoteReplacement::kAge;
  return std::nullopt;
}

}  // namespace capsule
