#include "manager/memory_look.h"

#include <vector>

namespace capsule {

MemoryUse MemoryLook::look(const Pool& pool) {
  Profile& profile = profiles_[pool.profile().name];
  std::map<uint64_t, pid_t> there;
  for (const auto& worker : pool.workers()) there[worker->id()] = worker->pid();
  std::erase_if(profile.workers, [&](const auto& known) { return !there.contains(known.first); });
  auto next = there.upper_bound(profile.last);
  for (size_t i = 0; i < std::min(kWorkersPerLook, there.size()); ++i, ++next) {
    if (next == there.end()) next = there.begin();
    profile.last = next->first;
    if (const auto memory = read_proc_memory(next->second)) {
      profile.workers[next->first] = {memory->private_bytes, memory->shared_bytes};
    }
  }
  MemoryUse sum;
  for (const auto& [id, memory] : profile.workers) {
    sum.private_bytes += memory.private_bytes;
    sum.shared_bytes += memory.shared_bytes;
  }
  return sum;
}

uint64_t MemoryLook::look(const SessionRegistry& sessions) {
  const auto& there = sessions.all();
  std::erase_if(parked_->sessions, [&](const auto& known) { return !there.contains(known.first); });
  auto next = there.upper_bound(parked_->last);
  for (size_t i = 0; i < std::min(kSessionsPerLook, there.size()); ++i, ++next) {
    if (next == there.end()) next = there.begin();
    parked_->last = next->first;
    next->second->measure_snapshots([parked = parked_, id = next->first](const auto& copies) {
      uint64_t bytes = 0;
      for (const auto& [snapshot, memory] : copies) bytes += memory.private_bytes;
      parked->sessions[id] = bytes;
    });
  }
  uint64_t sum = 0;
  for (const auto& [id, bytes] : parked_->sessions) sum += bytes;
  return sum;
}

}  // namespace capsule
