#include "manager/link/heartbeat_watch.h"

#include <algorithm>

namespace capsule {

std::string_view to_string(WorkerHealth health) {
  switch (health) {
    case WorkerHealth::kOk: return "ok";
    case WorkerHealth::kSuspect: return "suspect";
    case WorkerHealth::kLost: return "lost";
  }
  return "lost";
}

namespace {

Duration slack(const WorkerConfig& config) {
  return std::max<Duration>(config.heartbeat_interval / 10, HeartbeatWatch::kLeastSlack);
}

}  // namespace

TimePoint HeartbeatWatch::missed_at(uint64_t beats) const {
  return last_beat_ + config_.heartbeat_interval * static_cast<int64_t>(beats) + slack(config_);
}

uint64_t HeartbeatWatch::missed(TimePoint now) const {
  if (suspended_ || now < missed_at(1)) return 0;
  return static_cast<uint64_t>((now - last_beat_ - slack(config_)) / config_.heartbeat_interval);
}

void HeartbeatWatch::beat(TimePoint now) {
  ++beats_;
  last_beat_ = std::max(last_beat_, now);
  if (health_ == WorkerHealth::kSuspect) health_ = WorkerHealth::kOk;
}

void HeartbeatWatch::suspend() { suspended_ = true; }

void HeartbeatWatch::resume(TimePoint now) {
  suspended_ = false;
  last_beat_ = std::max(last_beat_, now);
  if (health_ == WorkerHealth::kSuspect) health_ = WorkerHealth::kOk;
}

WorkerHealth HeartbeatWatch::check(TimePoint now) {
  if (health_ == WorkerHealth::kLost) return health_;
  if (suspended_ || missed(now) < config_.suspect_after) return health_ = WorkerHealth::kOk;
  if (health_ == WorkerHealth::kOk) {
    health_ = WorkerHealth::kSuspect;
    suspect_since_ = now;
    ++suspected_;
  } else if (missed(now) >= config_.lost_after && now - suspect_since_ >= config_.heartbeat_interval / 2) {
    health_ = WorkerHealth::kLost;
  }
  return health_;
}

TimePoint HeartbeatWatch::next_check(TimePoint now) const {
  if (suspended_ || health_ == WorkerHealth::kLost) return TimePoint::max();
  if (health_ == WorkerHealth::kOk) return std::max(now, missed_at(config_.suspect_after));
  return std::max({now, missed_at(config_.lost_after), suspect_since_ + config_.heartbeat_interval / 2});
}

}  // namespace capsule
