#include "manager/link/limit_watch.h"

#include <algorithm>

namespace capsule {

std::optional<StopReason> LimitWatch::check(const LimitReadings& readings, TimePoint now) {
  next_check_ = TimePoint::max();
  const unsigned cores = std::max(1u, limits_.cores);
  if (limits_.memory_bytes != 0) {
    const bool is_over = readings.memory_bytes > limits_.memory_bytes;
    if (is_over && now >= room_until_) return StopReason::kMemoryLimit;
    const double room = is_over ? 0 : static_cast<double>(limits_.memory_bytes - readings.memory_bytes);
    const std::chrono::duration<double> soonest(room / (static_cast<double>(kGrowthBytesPerS) * cores));
    const Duration pause = std::chrono::duration_cast<Duration>(soonest);
    next_check_ = now + std::clamp<Duration>(pause, kLeastPause, kMemoryPauseMax);
  }
  if (limits_.cpu > Duration::zero()) {
    if (readings.cpu_used >= limits_.cpu) return StopReason::kCpuLimit;
    const Duration soonest = (limits_.cpu - readings.cpu_used) / cores;
    next_check_ = std::min<TimePoint>(next_check_, now + std::max<Duration>(soonest, kLeastPause));
  }
  return std::nullopt;
}

void LimitWatch::made_room(TimePoint now) {
  room_until_ = now + kRoomPatience;
  next_check_ = std::min<TimePoint>(next_check_, now + kLeastPause);
}

}  // namespace capsule
