// The control group of one capsule: bounds memory and tasks of everything in it, and counts what it used. Version 2 is
// one directory, version 1 one for each controller. Made and filled before the capsule has a worker, never on a run's
// way; removed when every process in it is gone. Movable; not bound to a thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace capsule {

enum class CgroupVersion { kNone, kV1, kV2 };

// Where capsules get their groups; made once, by detect_cgroups(). Move-only: it holds what is this manager's.
struct CgroupRoot {
  CgroupVersion version = CgroupVersion::kNone;
  std::string memory, tasks, cpu;  // parent directories; empty: that controller cannot be had. Version 2: all the same.
  std::string detail;              // "v1 memory pids cpuacct", or why there is none
  std::vector<UniqueFd> claims;    // locks on those directories (group_claim.h)
  std::vector<std::string> places;  // where managers of this user may have left theirs
  bool bounds_everything() const { return !memory.empty() && !tasks.empty() && !cpu.empty(); }
};

struct CgroupLimits {
  uint64_t memory_bytes = 0;
  uint64_t tasks = 0;
};

// nullopt: this group does not count it.
struct CgroupReadings {
  std::optional<uint64_t> cpu_us, memory_bytes, peak_bytes;
  uint64_t oom_kills = 0;
};

class CapsuleCgroup {
 public:
  static Result<CapsuleCgroup> make(const CgroupRoot& root, const std::string& name, const CgroupLimits& limits);

  // From outside. Takes milliseconds: the kernel waits for a grace period.
  Status place(pid_t pid);
  // What a process with one thread writes "0" to, each, to enter by itself. In version 1 that waits for nothing
  // (cgroup_procs_write_start() in the kernel, since 5.5); in version 2 it takes as long as place().
  Result<std::vector<UniqueFd>> doors() const;
  // For a run that asked for less than its capsule may have. Fails when more is in use already.
  Status set_memory_limit(uint64_t bytes);
  Status set_task_limit(uint64_t tasks);
  uint64_t refused_tasks() const;  // because of that limit, over the group's life; 0 also where nobody counts
  CgroupReadings read() const;
  uint64_t oom_kills() const;  // of read(), alone: on the way of every verdict
  bool bounds_memory() const { return !memory_dir_.empty(); }
  bool bounds_tasks() const { return !tasks_dir_.empty(); }
  // False while a process is still in it.
  bool remove();

 private:
  CapsuleCgroup() = default;
  void open_counters();

  CgroupVersion version_ = CgroupVersion::kNone;
  std::vector<std::string> dirs_;
  std::string memory_dir_, tasks_dir_, cpu_dir_;
  UniqueFd cpu_, memory_, peak_, oom_;
};

}  // namespace capsule
