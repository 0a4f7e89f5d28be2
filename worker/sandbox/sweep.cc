#include "worker/sandbox/sweep.h"

#include <unistd.h>

#include <csignal>

#include "worker/sandbox/processes.h"

namespace capsule::sandbox {
namespace {

constexpr int kRoundsMax = 64;  // a fork bomb that is stopped first needs two

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

void sweep(parked::Namespaces namespaces) {
  if (!parked::has(namespaces, CLONE_NEWPID)) return sweep_descendants();
  // Stopping all first bars new forks between the signal and the death of the forker. Pid 1 itself is spared by
  // kill(-1), and nothing else is out of its reach.
  kill(-1, SIGSTOP);
  kill(-1, SIGKILL);
}

}  // namespace capsule::sandbox
