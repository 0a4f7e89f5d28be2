#include "manager/observe/process_collector.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <sstream>
#include <string>

#include "base/posix_io.h"

namespace capsule {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr size_t kProcFileBytes = 1u << 20;  // /proc/stat grows with processors and interrupts

// The fields of /proc/self/stat that are used, in the units of the kernel.
struct Stat {
  uint64_t user_ticks = 0, system_ticks = 0, start_ticks = 0, virtual_bytes = 0, resident_pages = 0;
  int64_t threads = 0;
};

std::optional<Stat> read_stat() {
  const Result<std::string> text = read_file("/proc/self/stat", kProcFileBytes);
  if (!text) return std::nullopt;
  // The second field is the program's name in parentheses and may hold anything, also parentheses.
  const size_t name_end = text->rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text->substr(name_end + 1));
  constexpr int kFirst = 3, kUser = 14, kSystem = 15, kThreads = 20, kStart = 22, kVirtual = 23, kResident = 24;
  Stat stat;
  std::string word;
  for (int field = kFirst; field <= kResident; ++field) {
    switch (field) {
      case kUser: fields >> stat.user_ticks; break;
      case kSystem: fields >> stat.system_ticks; break;
      case kThreads: fields >> stat.threads; break;
      case kStart: fields >> stat.start_ticks; break;
      case kVirtual: fields >> stat.virtual_bytes; break;
      case kResident: fields >> stat.resident_pages; break;
      default: fields >> word;
    }
  }
  if (!fields) return std::nullopt;
  return stat;
}

// Seconds since 1970 at which the machine started; the process's own start is counted from there.
std::optional<double> read_boot_time() {
  const Result<std::string> text = read_file("/proc/stat", kProcFileBytes);
  if (!text) return std::nullopt;
  const size_t line = text->find("\nbtime ");
  if (line == std::string::npos) return std::nullopt;
  std::istringstream rest(text->substr(line + 7, 24));
  double boot_time = 0;
  if (!(rest >> boot_time)) return std::nullopt;
  return boot_time;
}

std::optional<double> count_open_fds() {
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return std::nullopt;
  double count = -1;  // the directory's own
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') ++count;
  }
  closedir(directory);
  return count;
}

std::optional<double> soft_limit(decltype(RLIMIT_NOFILE) resource) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0) return std::nullopt;
  if (limit.rlim_cur == RLIM_INFINITY) return std::numeric_limits<double>::infinity();
  return static_cast<double>(limit.rlim_cur);
}

void add(std::vector<MetricFamily>& to, const char* name, const char* help, MetricType type,
         std::optional<double> value) {
  if (!value) return;
  MetricFamily family{name, help, type, {}};
  prometheus::ClientMetric metric;
  if (type == MetricType::Counter) {
    metric.counter.value = *value;
  } else {
    metric.gauge.value = *value;
  }
  family.metric.push_back(std::move(metric));
  to.push_back(std::move(family));
}

}  // namespace

std::vector<MetricFamily> collect_process_metrics() {
  static const double kTicksPerSecond = static_cast<double>(sysconf(_SC_CLK_TCK));
  static const double kPageBytes = static_cast<double>(sysconf(_SC_PAGESIZE));
  static const std::optional<double> kBootTime = read_boot_time();
  std::vector<MetricFamily> all;
  const auto gauge = [&](const char* name, const char* help, std::optional<double> value) {
    add(all, name, help, MetricType::Gauge, value);
  };
  if (const std::optional<Stat> stat = read_stat()) {
    add(all, "process_cpu_seconds_total", "Processor time of the manager, user and system.", MetricType::Counter,
        static_cast<double>(stat->user_ticks + stat->system_ticks) / kTicksPerSecond);
    gauge("process_resident_memory_bytes", "Memory of the manager that is in RAM.",
          static_cast<double>(stat->resident_pages) * kPageBytes);
    gauge("process_virtual_memory_bytes", "Address space of the manager.", static_cast<double>(stat->virtual_bytes));
    gauge("process_threads", "Threads of the manager.", static_cast<double>(stat->threads));
    if (kBootTime) {
      gauge("process_start_time_seconds", "When the manager's process started, in seconds since 1970.",
            *kBootTime + static_cast<double>(stat->start_ticks) / kTicksPerSecond);
    }
  }
  gauge("process_virtual_memory_max_bytes", "Most address space the manager may have.", soft_limit(RLIMIT_AS));
  gauge("process_open_fds", "Descriptors the manager has open.", count_open_fds());
  gauge("process_max_fds", "Descriptors the manager may have open.", soft_limit(RLIMIT_NOFILE));
  return all;
}

}  // namespace capsule
