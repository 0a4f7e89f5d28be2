#include "worker/sandbox/processes.h"

#include <dirent.h>
#include <sys/stat.h>

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

namespace {

// A field of /proc/N/status: what stands behind its name, to the end of the line.
std::string status_field(const std::string& status, std::string_view name) {
  const size_t at = status.find("\n" + std::string(name) + ":");
  if (at == std::string::npos) return {};
  const size_t from = at + name.size() + 2;
  return status.substr(from, status.find('\n', from) - from);
}

Result<std::string> read_status(pid_t thread) {
  return read_file("/proc/" + std::to_string(thread) + "/status", kProcFileBytes);
}

// proc(5): one number a namespace, from the reader's to the innermost.
pid_t last_number(const std::string& numbers, int& count) {
  pid_t last = 0;
  count = 0;
  const char* at = numbers.c_str();
  for (char* end = nullptr;; at = end) {
    const long number = std::strtol(at, &end, 10);
    if (end == at) return last;
    last = static_cast<pid_t>(number);
    ++count;
  }
}

}  // namespace

pid_t process_of(pid_t thread) {
  const auto status = read_status(thread);
  return status ? static_cast<pid_t>(std::strtol(status_field(*status, "Tgid").c_str(), nullptr, 10)) : 0;
}

Numbers numbers_of(pid_t thread) {
  const auto status = read_status(thread);
  if (!status) return {};
  Numbers numbers;
  int level = 0;
  numbers.thread = last_number(status_field(*status, "NSpid"), numbers.level);
  numbers.process = last_number(status_field(*status, "NStgid"), level);
  return numbers;
}

ino_t pid_namespace_of(pid_t thread) {
  struct stat info {};
  return stat(("/proc/" + std::to_string(thread) + "/ns/pid").c_str(), &info) == 0 ? info.st_ino : 0;
}

bool is_powerless(pid_t process) {
  const auto status = read_status(process);
  if (!status) return false;
  const std::string held = status_field(*status, "CapPrm");
  return !held.empty() && std::strtoull(held.c_str(), nullptr, 16) == 0;
}

}  // namespace capsule::sandbox
