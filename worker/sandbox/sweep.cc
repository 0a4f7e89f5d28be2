#include "worker/sandbox/sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/posix_io.h"

namespace capsule::sandbox {
namespace {

constexpr int kRoundsMax = 64;  // a fork bomb that is stopped first needs two

struct ProcessLine {
  pid_t parent = 0;
  bool alive = false;
};

// proc(5): "pid (name) state ppid ..."; the name may contain anything.
ProcessLine read_process(pid_t pid) {
  const auto text = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
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

// Without a pid namespace: this process is the subreaper, so everything a worker left behind descends from it.
void sweep_descendants() {
  for (const int signal : {SIGSTOP, SIGKILL}) {
    for (int round = 0; round < kRoundsMax; ++round) {
      bool found = false;
      for (const pid_t pid : all_pids()) {
        if (!descends_from(pid, getpid()) || !read_process(pid).alive) continue;
        found |= kill(pid, signal) == 0 && signal == SIGKILL;
      }
      if (!found) break;
    }
  }
}

}  // namespace

void sweep(parked::Containment containment) {
  if (containment == parked::Containment::kNone) return sweep_descendants();
  // Stopping all first bars new forks between the signal and the death of the forker. Pid 1 itself is spared by
  // kill(-1), and nothing else is out of its reach.
  kill(-1, SIGSTOP);
  kill(-1, SIGKILL);
}

}  // namespace capsule::sandbox
