#include "manager/pool/process_tree.h"

#include <dirent.h>

#include <algorithm>
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

// What is shared is in the shares of those who can be asked in part, and whole in the pages of those who cannot. With
// one parked copy of one worker the difference is the proportional share to the byte; with more of them it is above. A
// program can make it smaller by sharing pages with children of its own: by one copy's pages at the most.
struct TreeMemory {
  uint64_t shares_kb = 0;     // of those that tell
  uint64_t others_kb = 0;     // of their anonymous pages, what is counted with somebody else
  uint64_t undivided_kb = 0;  // of those that do not tell

  void add(pid_t pid, MemoryCount count) {
    if (count == MemoryCount::kExact) {
      if (const auto rollup = read_file(proc_path(pid, "smaps_rollup"), kProcFileBytes); rollup && !rollup->empty()) {
        const uint64_t pages_kb = value_of(*rollup, "\nAnonymous");
        shares_kb += value_of(*rollup, "\nPss") + value_of(*rollup, "\nSwapPss");
        others_kb += pages_kb - std::min(pages_kb, value_of(*rollup, "\nPss_Anon"));
        return;
      }
    }
    const auto status = read_file(proc_path(pid, "status"), kProcFileBytes);
    if (!status) return;
    undivided_kb += value_of(*status, "\nRssAnon") + value_of(*status, "\nRssShmem") + value_of(*status, "\nVmSwap");
  }

  uint64_t bytes() const { return (shares_kb + undivided_kb - std::min(undivided_kb, others_kb)) * 1024; }
};

}  // namespace

TreeUsage read_process_tree(std::span<const pid_t> roots, const std::set<pid_t>& without, MemoryCount count) {
  TreeUsage usage;
  TreeMemory memory;
  std::vector<pid_t> pids(roots.begin(), roots.end());
  for (size_t i = 0; i < pids.size(); ++i) {
    if (without.contains(pids[i])) continue;
    const auto stats = read_proc_stats(pids[i]);
    if (!stats) continue;
    ++usage.processes;
    usage.cpu_us += stats->cpu_user_us + stats->cpu_system_us;
    memory.add(pids[i], count);
    add_children(pids[i], pids);
  }
  usage.memory_bytes = memory.bytes();
  return usage;
}

}  // namespace capsule
