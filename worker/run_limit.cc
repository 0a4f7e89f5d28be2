#include "worker/run_limit.h"

#include <algorithm>

namespace capsule {

RunLimit::RunLimit(__rlimit_resource resource, rlim_t wanted, Reach reach) : resource_(resource) {
  rlimit limit{};
  if (wanted == 0 || getrlimit(resource_, &limit) != 0) return;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = std::min(limit.rlim_cur, wanted);
  if (reach == Reach::kHard) limit.rlim_max = std::min(limit.rlim_max, wanted);
  if (setrlimit(resource_, &limit) != 0 || reach == Reach::kHard) return;
  before_ = before;
  set_ = limit.rlim_cur;
}

RunLimit::~RunLimit() {
  rlimit limit{};
  if (before_ == set_ || getrlimit(resource_, &limit) != 0 || limit.rlim_cur != set_) return;  // it has its own now
  limit.rlim_cur = std::min(before_, limit.rlim_max);
  setrlimit(resource_, &limit);
}

}  // namespace capsule
