#include "manager/link/limit_guard.h"

#include <thread>

namespace capsule {

LimitGuard::LimitGuard(Loop& loop, std::shared_ptr<CapsuleProcess> capsule, const RunLimits& limits, Hit hit)
    : capsule_(std::move(capsule)), watch_(watched(*capsule_, limits)), hit_(std::move(hit)), timer_(loop) {}

WatchedLimits LimitGuard::watched(CapsuleProcess& capsule, const RunLimits& limits) {
  static const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  // In a session the run before may have had another limit. When more is in use already than this run may have, the
  // kernel refuses the limit, and the watch finds it passed.
  const bool kernel_bounds_memory = capsule.bound_memory(limits.memory_bytes);
  return {limits.cpu, kernel_bounds_memory ? 0 : limits.memory_bytes, cores};
}

void LimitGuard::start() {
  at_start_ = capsule_->usage(MemoryCount::kRough, watch_.has_work() ? Usages::kAll : Usages::kOomKills);
  watch_.started(now());
  timer_.at(watch_.next_check(), [this] { look(); });
}

void LimitGuard::stop() { timer_.cancel(); }

uint64_t LimitGuard::oom_kills() const {
  const uint64_t kills = capsule_->usage(MemoryCount::kRough, Usages::kOomKills).oom_kills;
  return kills > at_start_.oom_kills ? kills - at_start_.oom_kills : 0;
}

LimitReadings LimitGuard::read(MemoryCount count) const {
  const CapsuleUsage usage = capsule_->usage(count);
  const uint64_t cpu_us = usage.cpu_us > at_start_.cpu_us ? usage.cpu_us - at_start_.cpu_us : 0;
  return {microseconds(cpu_us), usage.memory_bytes};
}

void LimitGuard::look() {
  auto passed = watch_.check(read(MemoryCount::kRough), now());
  if (passed == StopReason::kMemoryLimit) passed = watch_.check(read(MemoryCount::kExact), now());
  if (passed) return hit_(*passed);
  timer_.at(watch_.next_check(), [this] { look(); });
}

}  // namespace capsule
