#include "worker/run_memory.h"

#include "worker/memory_reserve.h"

namespace capsule {

rlim_t data_limit_of_run(uint64_t profile_bytes, uint64_t run_bytes) {
  const uint64_t wanted = run_bytes / 8 * 7;  // as a profile's, when it names none
  rlimit limit{};
  if (wanted < kLeastRunBytes || wanted >= profile_bytes || getrlimit(RLIMIT_DATA, &limit) != 0) return 0;
  const uint64_t profile_and_reserve = profile_bytes + memory_reserve::kReservedBytes;
  if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max < profile_and_reserve) return 0;
  return limit.rlim_max - profile_and_reserve + wanted;  // what the worker had at its start, and the run's
}

}  // namespace capsule
