#include "worker/sandbox/processes.h"

#include <dirent.h>

#include <cstdlib>
#include <string>

#include "base/posix_io.h"

namespace capsule::sandbox {
namespace {
constexpr size_t kProcFileBytes = 4096;
}

// proc(5): "pid (name) state ppid ..."; the name may contain anything.
ProcessLine read_process(pid_t pid) {
  const auto text = read_file("/proc/" + std::to_string(pid) + "/stat", kProcFileBytes);
  if (!text) return {};
  const size_t end = text->rfind(')');
  if (end == std::string::npos || end + 4 > text->size()) return {};
  const char state = (*text)[end + 2];
  return {static_cast<pid_t>(std::strtol(text->c_str() + end + 4, nullptr, 10)), state != 'Z' && state != 'X'};
}

std::vector<pid_t> all_pids() {
  std::vector<pid_t> pids;
  DIR* directory = opendir("/proc");
  if (directory == nullptr) return pids;
  while (const dirent* entry = readdir(directory)) {
    if (const long pid = std::strtol(entry->d_name, nullptr, 10); pid > 0) pids.push_back(static_cast<pid_t>(pid));
  }
  closedir(directory);
  return pids;
}

bool descends_from(pid_t pid, pid_t ancestor) {
  constexpr int kDepthMax = 1000;
  for (int depth = 0; depth < kDepthMax && pid > 1; ++depth) {
    pid = read_process(pid).parent;
    if (pid == ancestor) return true;
  }
  return false;
}

pid_t process_of(pid_t thread) {
  constexpr std::string_view kField = "\nTgid:";
  const auto text = read_file("/proc/" + std::to_string(thread) + "/status", kProcFileBytes);
  if (!text) return 0;
  const size_t at = text->find(kField);
  if (at == std::string::npos) return 0;
  return static_cast<pid_t>(std::strtol(text->c_str() + at + kField.size(), nullptr, 10));
}

}  // namespace capsule::sandbox
