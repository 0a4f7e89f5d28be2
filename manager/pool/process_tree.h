// What a process and all its descendants use, from /proc: for capsules without a control group that counts. Children
// that end without being waited for are missing in it, and so is memory that no process has mapped (files in /tmp).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <span>

namespace capsule {

struct TreeUsage {
  uint64_t cpu_us = 0;  // with the children that were waited for; 10 ms steps
  uint64_t memory_bytes = 0;
  size_t processes = 0;
};

enum class MemoryCount {
  kRough,  // private and shared-memory pages of each process: counts what is shared after a fork several times
  // Proportional shares; a millisecond for each process. The kernel does not tell an ordinary user about parked
  // interpreters (nobody may read their memory): these count roughly, less what the others share with somebody.
  kExact,
};

inline constexpr size_t kTreeProcesses = 4096;  // more are not looked at

// Of these processes and all that descends from them, but for `without` and what descends from those.
TreeUsage read_process_tree(std::span<const pid_t> roots, const std::set<pid_t>& without, MemoryCount count);

}  // namespace capsule
