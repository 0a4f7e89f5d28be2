#include "manager/async/spin_policy.h"

#include <algorithm>

namespace capsule {

void SpinPolicy::worked(TimePoint now) {
  if (spins_) {
    score_ = std::min(score_ + kHit, kScoreMax);
    spins_ = false;
  }
  until_ = now + window_;
}

bool SpinPolicy::looks_again(TimePoint now) {
  if (window_ == Duration::zero()) return false;
  if (spins_) {
    if (now < until_) return true;
    spins_ = false;
    score_ = std::max(score_ - 1, 0);
    return false;
  }
  if (now >= until_) return false;
  if (score_ == 0 && ++waits_ < kProbeEvery) {
    until_ = now;
    return false;
  }
  waits_ = 0;
  spins_ = true;
  return true;
}

}  // namespace capsule
