#include "manager/pool/process_tree.h"

#include <dirent.h>

#include <charconv>
#include <string>
#include <vector>

#include "base/posix_io.h"
#include "manager/pool/proc_stats.h"

namespace capsule {
namespace {

constexpr size_t kProcFileBytes = 64u << 10;

std::string proc_path(pid_t pid, const char* file) { return "/proc/" + std::to_string(pid) + "/" + file; }

void add_children(pid_t pid, std::vector<pid_t>& into) {
  const std::string tasks = proc_path(pid, "task");
  DIR* directory = opendir(tasks.c_str());
  if (directory == nullptr) return;
  while (const dirent* task = readdir(directory)) {
    if (task->d_name[0] == '.') continue;
    const auto text = read_file(tasks + "/" + task->d_name + "/children", kProcFileBytes);
    if (!text) continue;
    for (const char *at = text->data(), *end = at + text->size(); at < end && into.size() < kTreeProcesses;) {
      pid_t child = 0;
      const auto parsed = std::from_chars(at, end, child);
      if (parsed.ec != std::errc()) break;
      into.push_back(child);
      at = parsed.ptr + 1;
    }
  }
  closedir(directory);
}

uint64_t memory_of(pid_t pid, MemoryCount count) {
  if (count == MemoryCount::kExact) {
    const auto rollup = read_file(proc_path(pid, "smaps_rollup"), kProcFileBytes);
    if (rollup) return (value_of(*rollup, "\nPss") + value_of(*rollup, "\nSwapPss")) * 1024;
  }
  const auto status = read_file(proc_path(pid, "status"), kProcFileBytes);
  if (!status) return 0;
  return (value_of(*status, "\nRssAnon") + value_of(*status, "\nRssShmem") + value_of(*status, "\nVmSwap")) * 1024;
}

}  // namespace

TreeUsage read_process_tree(std::span<const pid_t> roots, const std::set<pid_t>& without, MemoryCount count) {
  TreeUsage usage;
  std::vector<pid_t> pids(roots.begin(), roots.end());
  for (size_t i = 0; i < pids.size(); ++i) {
    if (without.contains(pids[i])) continue;
    const auto stats = read_proc_stats(pids[i]);
    if (!stats) continue;
    ++usage.processes;
    usage.cpu_us += stats->cpu_user_us + stats->cpu_system_us;
    usage.memory_bytes += memory_of(pids[i], count);
    add_children(pids[i], pids);
  }
  return usage;
}

}  // namespace capsule
