#include "manager/cgroup/capsule_cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "base/posix_io.h"

namespace capsule {
namespace {

constexpr size_t kFileBytes = 4096;

Status write_value(const std::string& path, const std::string& value) {
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return system_failure("open " + path);
  const ssize_t put = write(file.get(), value.data(), value.size());
  if (put != static_cast<ssize_t>(value.size())) return system_failure("write " + path);
  return {};
}

UniqueFd open_counter(const std::string& path) { return UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC)); }

// The number after `key` (at the start of a line), or the first one of the file for an empty key.
std::optional<uint64_t> number_in(const UniqueFd& file, std::string_view key) {
  if (!file) return std::nullopt;
  std::array<char, kFileBytes> block;
  const ssize_t got = pread(file.get(), block.data(), block.size(), 0);
  if (got <= 0) return std::nullopt;
  const std::string_view text(block.data(), static_cast<size_t>(got));
  size_t at = 0;
  while (!text.substr(at).starts_with(key)) {
    at = text.find('\n', at);
    if (at == text.npos) return std::nullopt;
    ++at;
  }
  at += key.size();
  while (at < text.size() && text[at] == ' ') ++at;
  uint64_t value = 0;
  const auto parsed = std::from_chars(text.data() + at, text.data() + text.size(), value);
  return parsed.ec == std::errc() ? std::optional(value) : std::nullopt;
}

}  // namespace

Result<CapsuleCgroup> CapsuleCgroup::make(const CgroupRoot& root, const std::string& name, const CgroupLimits& limits) {
  CapsuleCgroup group;
  group.version_ = root.version;
  Status made;
  for (const std::string& parent : {root.memory, root.tasks, root.cpu}) {
    const std::string dir = parent + "/" + name;
    if (parent.empty() || std::find(group.dirs_.begin(), group.dirs_.end(), dir) != group.dirs_.end()) continue;
    if (mkdir(dir.c_str(), 0755) != 0 && errno != EEXIST) made = system_failure("mkdir " + dir);
    if (!made) break;
    group.dirs_.push_back(dir);
  }
  if (!root.memory.empty()) group.memory_dir_ = root.memory + "/" + name;
  if (!root.tasks.empty()) group.tasks_dir_ = root.tasks + "/" + name;
  if (!root.cpu.empty()) group.cpu_dir_ = root.cpu + "/" + name;
  if (made && group.bounds_memory()) made = group.set_memory_limit(limits.memory_bytes);
  if (made && group.bounds_tasks()) made = group.set_task_limit(limits.tasks);
  if (!made) {
    group.remove();
    return tl::unexpected<Error>(made.error());
  }
  group.open_counters();
  return group;
}

void CapsuleCgroup::open_counters() {
  const bool v2 = version_ == CgroupVersion::kV2;
  if (!cpu_dir_.empty()) cpu_ = open_counter(cpu_dir_ + (v2 ? "/cpu.stat" : "/cpuacct.usage"));
  if (memory_dir_.empty()) return;
  memory_ = open_counter(memory_dir_ + (v2 ? "/memory.current" : "/memory.usage_in_bytes"));
  peak_ = open_counter(memory_dir_ + (v2 ? "/memory.peak" : "/memory.max_usage_in_bytes"));
  oom_ = open_counter(memory_dir_ + (v2 ? "/memory.events" : "/memory.oom_control"));
}

Status CapsuleCgroup::place(pid_t pid) {
  for (const std::string& dir : dirs_) {
    if (const Status moved = write_value(dir + "/cgroup.procs", std::to_string(pid)); !moved) return moved;
  }
  return {};
}

Result<std::vector<UniqueFd>> CapsuleCgroup::doors() const {
  std::vector<UniqueFd> doors;
  const std::string file = version_ == CgroupVersion::kV1 ? "/tasks" : "/cgroup.procs";
  for (const std::string& dir : dirs_) {
    doors.emplace_back(open((dir + file).c_str(), O_WRONLY | O_CLOEXEC));
    if (!doors.back()) return system_failure("open " + dir + file);
  }
  return doors;
}

// Swap would let a program take more than it may: none in version 2, counted together in version 1. The larger of the
// two limits of version 1 has to be raised first and lowered last; what is not there (no swap accounting) is left out.
Status CapsuleCgroup::set_memory_limit(uint64_t bytes) {
  if (memory_dir_.empty()) return failure(Errc::kUnavailable, "no memory controller");
  const std::string value = std::to_string(bytes);
  if (version_ == CgroupVersion::kV2) {
    (void)write_value(memory_dir_ + "/memory.swap.max", "0");
    (void)write_value(memory_dir_ + "/memory.oom.group", "0");
    return write_value(memory_dir_ + "/memory.max", value);
  }
  const std::string both = memory_dir_ + "/memory.memsw.limit_in_bytes";
  (void)write_value(both, value);  // raising: refused by the kernel when it would pass below the other
  const Status limited = write_value(memory_dir_ + "/memory.limit_in_bytes", value);
  (void)write_value(both, value);  // lowering
  return limited;
}

Status CapsuleCgroup::set_task_limit(uint64_t tasks) {
  if (tasks_dir_.empty()) return failure(Errc::kUnavailable, "no pids controller");
  return write_value(tasks_dir_ + "/pids.max", std::to_string(tasks));
}

uint64_t CapsuleCgroup::refused_tasks() const {
  return tasks_dir_.empty() ? 0 : number_in(open_counter(tasks_dir_ + "/pids.events"), "max ").value_or(0);
}

CgroupReadings CapsuleCgroup::read() const {
  CgroupReadings readings;
  if (version_ == CgroupVersion::kV2) {
    readings.cpu_us = number_in(cpu_, "usage_usec");
  } else if (const auto ns = number_in(cpu_, "")) {
    readings.cpu_us = *ns / 1000;
  }
  readings.memory_bytes = number_in(memory_, "");
  readings.peak_bytes = number_in(peak_, "");
  readings.oom_kills = oom_kills();
  return readings;
}

uint64_t CapsuleCgroup::oom_kills() const { return number_in(oom_, "oom_kill ").value_or(0); }

bool CapsuleCgroup::remove() {
  std::erase_if(dirs_, [](const std::string& dir) { return rmdir(dir.c_str()) == 0 || errno == ENOENT; });
  return dirs_.empty();
}

}  // namespace capsule
