#include "worker/memory_budget.h"

namespace capsule {
namespace {

// What RLIMIT_DATA becomes; 0: stays.
rlim_t data_limit(uint64_t profile_bytes, uint64_t run_bytes) {
  const uint64_t wanted = run_bytes / 8 * 7;  // as a profile's, when it names none
  rlimit limit{};
  if (wanted < MemoryBudget::kLeastBytes || wanted >= profile_bytes || getrlimit(RLIMIT_DATA, &limit) != 0) return 0;
  if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max < profile_bytes) return 0;
  return limit.rlim_max - profile_bytes + wanted;  // what the worker had at its start, and the budget
}

}  // namespace

MemoryBudget::MemoryBudget(uint64_t profile_bytes, uint64_t run_bytes)
    : limit_(RLIMIT_DATA, data_limit(profile_bytes, run_bytes), RunLimit::Reach::kSoft) {}

}  // namespace capsule
