#include "worker/sandbox/sweep.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <string>
#include <vector>

#include "base/posix_io.h"
#include "worker/sandbox/processes.h"

namespace capsule::sandbox {
namespace {

constexpr int kRoundsMax = 4096;  // generations of processes below one another; a fork bomb that is stopped needs two
constexpr size_t kChildrenBytes = 1u << 20;

// Without a pid namespace: this process is the subreaper, so everything a worker left behind descends from it.
void sweep_descendants(const std::set<pid_t>& spared) {
  for (const int signal : {SIGSTOP, SIGKILL}) {
    for (int round = 0; round < kRoundsMax; ++round) {
      bool found = false;
      for (const pid_t pid : all_pids()) {
        if (spared.contains(pid) || !descends_from(pid, getpid()) || !read_process(pid).alive) continue;
        found |= kill(pid, signal) == 0 && signal == SIGKILL;
      }
      if (!found) break;
    }
  }
}

// proc(5), and not subject to hidepid: what this process is the parent of.
std::vector<pid_t> own_children() {
  std::vector<pid_t> children;
  const auto text = read_file("/proc/thread-self/children", kChildrenBytes);
  if (!text) return children;
  for (const char *at = text->data(), *end = at + text->size(); at < end;) {
    pid_t pid = 0;
    const auto parsed = std::from_chars(at, end, pid);
    if (parsed.ec != std::errc()) break;
    children.push_back(pid);
    at = parsed.ptr + 1;
  }
  return children;
}

bool is_zombie(pid_t pid) {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT | __WALL) != 0 || info.si_pid != 0;
}

// Waits for the death of what was killed without reaping it: how workers ended is told by whoever reaps.
void wait_until_dead(pid_t pid) {
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT | __WALL) != 0 && errno == EINTR) {
  }
}

// Copies that sessions in capsules inside make just now are children of ours that nobody has told us of yet. Only such
// copies get there, and they hide only when we have been told, and spare them.
bool is_spared(pid_t pid, const Sweeping& how) {
  return how.spared.contains(pid) || (how.has_nested && numbers_of(pid).level > 1);
}

// All stand still, so each round ends one generation, whose children become ours. A process that is not in the list
// has a living parent that is.
void kill_others(const Sweeping& how) {
  for (int round = 0; round < kRoundsMax; ++round) {
    std::vector<pid_t> killed;
    for (const pid_t pid : own_children()) {
      if (!is_spared(pid, how) && !is_zombie(pid) && kill(pid, SIGKILL) == 0) killed.push_back(pid);
    }
    if (killed.empty()) return;
    for (const pid_t pid : killed) wait_until_dead(pid);
  }
}

// Copies that nobody keeps: their parent is not in this pid namespace.
void kill_strays(const Sweeping& how) {
  for (const pid_t pid : all_pids()) {
    if (pid == getpid() || how.spared.contains(pid) || how.guests.contains(pid)) continue;
    const ProcessLine process = read_process(pid);
    if (process.alive && process.parent == 0 && numbers_of(pid).level == 1) kill(pid, SIGKILL);
  }
}

void kill_guests(const std::map<pid_t, int>& guests) {
  for (const auto& [pid, pidfd] : guests) kill(pid, SIGKILL);
  for (const auto& [pid, pidfd] : guests) {
    pollfd dead{pidfd, POLLIN, 0};
    while (poll(&dead, 1, -1) < 0 && errno == EINTR) {
    }
  }
}

}  // namespace

void end_strays(pid_t but) {
  Sweeping how;
  how.spared.insert(but);
  kill_strays(how);
}

void sweep(parked::Namespaces namespaces, const Sweeping& how) {
  if (!parked::has(namespaces, CLONE_NEWPID)) return sweep_descendants(how.spared);
  // Stopping all first bars new forks between the signal and the death of the forker. Pid 1 itself is spared by
  // kill(-1), and nothing else is out of its reach.
  kill(-1, SIGSTOP);
  if (how.spared.empty() && !how.has_nested) {
    kill(-1, SIGKILL);
    return;
  }
  if (how.is_inside) kill_strays(how);
  kill_guests(how.guests);
  kill_others(how);
  if (how.has_nested) {
    kill(-1, SIGCONT);
    return;
  }
  for (const pid_t pid : how.spared) kill(pid, SIGCONT);
}

}  // namespace capsule::sandbox
