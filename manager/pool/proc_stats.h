// What the kernel says of a process: CPU, memory and faults, from /proc. The truth that evidence and `info` are made
// of; a worker's own heartbeat is only a sign of life.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace capsule {

struct ProcStats {
  uint64_t cpu_user_us = 0, cpu_system_us = 0;  // of the process and the children it waited for; 10 ms steps
  uint64_t minor_faults = 0, major_faults = 0;
  uint64_t rss_bytes = 0;
  uint64_t peak_rss_bytes = 0;
  uint32_t threads = 0;
};

std::optional<ProcStats> read_proc_stats(pid_t pid);

// What a process has for itself, and what it shares with others. The kernel walks its page tables for that: about 0.1
// ms for ten megabytes. nullopt: it is gone, or does not let itself be looked into.
struct ProcMemory {
  uint64_t private_bytes = 0, shared_bytes = 0;
};
std::optional<ProcMemory> read_proc_memory(pid_t pid);

// For one that is asked again and again (after each run): the files stay open, which halves the cost. They go on to
// mean that process, also when its pid is given to another.
class ProcReader {
 public:
  explicit ProcReader(pid_t pid);
  std::optional<ProcStats> read() const;  // nullopt once it is gone

 private:
  UniqueFd stat_, status_;
};

// The number after "<key>:" in a file of such lines; 0 when it is not there.
uint64_t value_of(std::string_view text, std::string_view key);

// The process a pidfd stands for, in our pid namespace; 0 when it is gone.
pid_t pid_of(int pidfd);
// SIGKILL to the process, and nobody who has its number by now.
void send_kill(int pidfd);
struct CopyStatus {
  std::vector<pid_t> numbers;  // what it is called in each pid namespace, from ours (0) to its own
  bool is_powerless = false;   // without a single capability, in whatever user namespace
};
// Nothing: it is gone.
std::optional<CopyStatus> read_copy_status(pid_t pid);

}  // namespace capsule
