#include "manager/schedule/uid_use.h"

#include <algorithm>

namespace capsule {
namespace {
bool is_full(uint64_t limit, size_t used) { return limit != 0 && used >= limit; }
}  // namespace

std::optional<UidUse::Cap> UidUse::passed_by_run(uid_t uid, uint64_t bytes, TimePoint now) {
  forget_old(uid, now);
  const auto found = users_.find(uid);
  const User user = found == users_.end() ? User{} : found->second;
  const uint64_t most_bytes = config_.max_uid_code_bytes;
  if (is_full(config_.max_crashes_per_minute_per_uid, user.crashes.size())) return Cap::kCrashes;
  if (is_full(config_.max_queued_per_uid, user.queued)) return Cap::kQueued;
  if (most_bytes != 0 && bytes > most_bytes - std::min(most_bytes, user.queued_bytes)) return Cap::kQueuedBytes;
  return std::nullopt;
}

bool UidUse::may_hold_workers(uid_t uid, size_t sessions, uint64_t more) const {
  const auto found = users_.find(uid);
  const size_t running = found == users_.end() ? 0 : found->second.workers;
  const uint64_t most = config_.max_workers_per_uid, used = running + sessions;
  return most == 0 || (used < most && more <= most - used);
}

std::string UidUse::describe(Cap cap) {
  switch (cap) {
    case Cap::kQueued: return "this user has as many runs queued as it may (client.max_queued_per_uid)";
    case Cap::kQueuedBytes:
      return "the queued runs of this user have as much code as they may (client.max_uid_code_bytes)";
    case Cap::kWorkers: return "this user has as many workers in use as it may (client.max_workers_per_uid)";
    case Cap::kCrashes:
      return "programs of this user crashed too often within a minute (client.max_crashes_per_minute_per_uid)";
  }
  return "";
}

void UidUse::queued(uid_t uid, uint64_t bytes) {
  User& user = users_[uid];
  ++user.queued;
  user.queued_bytes += bytes;
  queued_bytes_ += bytes;
}

void UidUse::unqueued(uid_t uid, uint64_t bytes) {
  User& user = users_[uid];
  if (user.queued > 0) --user.queued;
  user.queued_bytes -= std::min(user.queued_bytes, bytes);
  queued_bytes_ -= std::min(queued_bytes_, bytes);
}

void UidUse::gave_worker_back(uid_t uid) {
  User& user = users_[uid];
  if (user.workers > 0) --user.workers;
}

void UidUse::crashed(uid_t uid, TimePoint now) {
  if (config_.max_crashes_per_minute_per_uid == 0) return;
  users_[uid].crashes.push_back(now);
  forget_old(uid, now);
}

void UidUse::forget_old(uid_t uid, TimePoint now) {
  const auto found = users_.find(uid);
  if (found == users_.end()) return;
  User& user = found->second;
  while (!user.crashes.empty() &&
         (user.crashes.front() + kCrashWindow <= now || user.crashes.size() > config_.max_crashes_per_minute_per_uid)) {
    user.crashes.pop_front();
  }
  if (user.crashes.empty() && user.queued == 0 && user.workers == 0) users_.erase(found);
}

}  // namespace capsule
