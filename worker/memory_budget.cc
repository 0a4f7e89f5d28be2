#include "worker/memory_budget.h"

namespace capsule {

MemoryBudget::MemoryBudget(uint64_t profile_bytes, uint64_t run_bytes) {
  const uint64_t wanted = run_bytes / 8 * 7;  // as a profile's, when it names none
  rlimit limit{};
  if (wanted < kLeastBytes || wanted >= profile_bytes || getrlimit(RLIMIT_DATA, &limit) != 0) return;
  if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max < profile_bytes) return;
  const rlim_t tighter = limit.rlim_max - profile_bytes + wanted;  // what the worker had at its start, and the budget
  if (tighter >= limit.rlim_cur) return;
  before_ = limit.rlim_cur;
  set_ = limit.rlim_cur = tighter;
  setrlimit(RLIMIT_DATA, &limit);
}

MemoryBudget::~MemoryBudget() {
  rlimit limit{};
  if (before_ == set_ || getrlimit(RLIMIT_DATA, &limit) != 0 || limit.rlim_cur != set_) return;  // it has its own now
  limit.rlim_cur = before_ < limit.rlim_max ? before_ : limit.rlim_max;
  setrlimit(RLIMIT_DATA, &limit);
}

}  // namespace capsule
