#include "manager/link/limit_guard.h"

#include <algorithm>
#include <thread>

namespace capsule {
namespace {

unsigned cores() {
  static const unsigned found = std::max(1u, std::thread::hardware_concurrency());
  return found;
}

}  // namespace

LimitGuard::LimitGuard(Loop& loop, std::shared_ptr<CapsuleProcess> capsule, const RunLimits& limits, SpareMemory spare,
                       Hit hit)
    : capsule_(std::move(capsule)),
      memory_bytes_(limits.memory_bytes),
      watch_(watched(*capsule_, limits)),
      spare_(std::move(spare)),
      hit_(std::move(hit)),
      timer_(loop) {}

WatchedLimits LimitGuard::watched(CapsuleProcess& capsule, const RunLimits& limits) {
  // In a session the run before may have had another limit. When more is in use already than this run may have, the
  // kernel refuses the limit, and the watch finds it passed.
  const bool kernel_bounds_memory = capsule.bound_memory(limits.memory_bytes);
  return {limits.cpu, kernel_bounds_memory ? 0 : limits.memory_bytes, cores()};
}

void LimitGuard::start() {
  at_start_ = capsule_->usage(MemoryCount::kRough, watch_.has_work() ? Usages::kAll : Usages::kOomKills);
  watch_.started(now());
  // Asked once: a session gets no new snapshot while a run is under way.
  if (spare_.is_there && spare_.is_there()) {
    spare_watch_ = LimitWatch({{}, memory_bytes_ / 8 * 7, cores()});
    spare_watch_.started(now());
  }
  arm();
}

void LimitGuard::arm() {
  timer_.at(std::min(watch_.next_check(), spare_watch_.next_check()), [this] { look(); });
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
  LimitReadings readings = read(MemoryCount::kRough);
  const bool is_short = spare_watch_.check(readings, now()).has_value();
  if (is_short || watch_.check(readings, now()) == StopReason::kMemoryLimit) readings = read(MemoryCount::kExact);
  if (is_short && spare_watch_.check(readings, now())) give_way(readings.memory_bytes);
  if (const auto passed = watch_.check(readings, now())) return hit_(*passed);
  arm();
}

void LimitGuard::give_way(uint64_t used_bytes) {
  if (spare_.give_some(used_bytes)) {
    watch_.made_room(now());
    spare_watch_.made_room(now());
  } else {
    spare_watch_ = LimitWatch({});  // what is left is what the session goes back to
  }
}

}  // namespace capsule
