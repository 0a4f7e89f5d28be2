#include "benchmarks/machine.h"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "base/posix_io.h"

namespace capsule::bench {
namespace {

constexpr size_t kFileBytes = 4u << 20;
constexpr int kIdleColumn = 3, kIoWaitColumn = 4, kStealColumn = 7;  // of the cpu line in /proc/stat
constexpr int kTickColumns = 8;                                      // what follows is counted in these already

std::string text_of(const std::string& path) {
  std::string text = capsule::read_file(path, kFileBytes).value_or("unknown");
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

std::string processor() {
  const std::string info = text_of("/proc/cpuinfo");
  const size_t name = info.find("model name");
  const size_t colon = name == std::string::npos ? name : info.find(": ", name);
  return colon == std::string::npos ? "unknown" : info.substr(colon + 2, info.find('\n', colon) - colon - 2);
}

std::string kernel() {
  utsname names{};
  return uname(&names) == 0 ? std::string(names.sysname) + " " + names.release : "unknown";
}

double used_s(int who) {
  rusage usage{};
  getrusage(who, &usage);
  const auto seconds_of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

std::string percent(double part, double all) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", all > 0 ? 100 * part / all : 0);
  return text;
}

}  // namespace

Facts machine_facts() {
  return {{"kernel", kernel()},
          {"cores", std::to_string(sysconf(_SC_NPROCESSORS_ONLN)) + " x " + processor()},
          {"load", text_of("/proc/loadavg")},
          {"transparent hugepages", text_of("/sys/kernel/mm/transparent_hugepage/enabled")},
          {"uid", std::to_string(geteuid())},
          {"build", CAPSULE_BENCH_BUILD},
          {"capsule", CAPSULE_VERSION}};
}

CpuTicks cpu_ticks() {
  std::istringstream line(text_of("/proc/stat"));
  std::string name;
  line >> name;
  CpuTicks ticks;
  double value = 0;
  for (int column = 0; column < kTickColumns && line >> value; ++column) {
    ticks.all += value;
    if (column == kStealColumn) {
      ticks.stolen = value;
    } else if (column != kIdleColumn && column != kIoWaitColumn) {
      ticks.busy += value;
    }
  }
  const auto hertz = static_cast<double>(sysconf(_SC_CLK_TCK));
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) ticks.own += used_s(who) * hertz;
  return ticks;
}

Facts disturbance(const CpuTicks& before, const CpuTicks& after) {
  const double all = after.all - before.all;
  const double others = after.busy - before.busy - (after.own - before.own);
  return {{"stolen by other guests", percent(after.stolen - before.stolen, all)},
          {"used by other programs", percent(std::max(others, 0.0), all)}};
}

}  // namespace capsule::bench
