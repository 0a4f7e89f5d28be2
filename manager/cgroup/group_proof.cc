#include "manager/cgroup/group_proof.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "base/clock.h"
#include "base/posix_io.h"

namespace capsule {
namespace {

constexpr uint64_t kProofLimitBytes = 16 * kProofBytes;
constexpr milliseconds kProofPatience{2000};
constexpr milliseconds kRemovePause{2};
constexpr int kRemovals = 50;

// One letter of the child for what it tried.
enum Word : char { kOutsideDone = 'o', kOutsideFailed = 'f', kRefused = 'r', kNotRefused = 'n', kNotEntered = 'e' };

bool can_fork() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  return child > 0 && waitpid(child, nullptr, 0) == child;
}

// Stays mapped, to be counted; `keep` false: given back.
void fill(bool keep) {
  void* const pages = mmap(nullptr, kProofBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return;
  for (uint64_t at = 0; at < kProofBytes; at += 4096) static_cast<volatile char*>(pages)[at] = 1;
  if (!keep) munmap(pages, kProofBytes);
}

void say(int pipe, Word word) {
  const char letter = word;
  (void)!write(pipe, &letter, 1);
}

// Waits to be told to go on, so that the group can be read before.
[[noreturn]] void be_child(const std::vector<UniqueFd>& doors, int answers, int orders) {
  char go = 0;
  fill(false);
  say(answers, can_fork() ? kOutsideDone : kOutsideFailed);
  if (read(orders, &go, 1) != 1) _exit(1);
  for (const UniqueFd& door : doors) {
    if (write(door.get(), "0", 1) == 1) continue;
    say(answers, kNotEntered);
    _exit(1);
  }
  fill(true);
  say(answers, can_fork() ? kNotRefused : kRefused);
  (void)!read(orders, &go, 1);
  _exit(0);
}

char hear(int answers) {
  pollfd ready{answers, POLLIN, 0};
  char word = 0;
  const bool there = poll(&ready, 1, static_cast<int>(kProofPatience.count())) > 0 && read(answers, &word, 1) == 1;
  return there ? word : '\0';
}

Status judge(const CgroupRoot& root, const CapsuleCgroup& group, int answers, int orders) {
  if (hear(answers) != kOutsideDone) return failure(Errc::kUnavailable, "outside of a group no process could be made");
  if (group.read().memory_bytes.value_or(0) >= kProofBytes) {
    return failure(Errc::kUnavailable, "a group counted memory of a process that was not in it");
  }
  (void)!write(orders, "g", 1);
  const char word = hear(answers);
  if (word != kRefused && word != kNotRefused) return failure(Errc::kUnavailable, "a group could not be entered");
  if (!root.tasks.empty() && word == kNotRefused) {
    return failure(Errc::kUnavailable, "in a group of one process a second one could be made");
  }
  if (!root.memory.empty() && group.read().memory_bytes.value_or(0) < kProofBytes) {
    return failure(Errc::kUnavailable, "a group did not count memory that was filled in it");
  }
  return {};
}

}  // namespace

Status prove_groups(const CgroupRoot& root) {
  if (root.version == CgroupVersion::kNone) return {};
  auto group = CapsuleCgroup::make(root, "proof", {kProofLimitBytes, 1});
  if (!group) return tl::unexpected<Error>(group.error());
  auto doors = group->doors();
  auto answers = make_pipe(), orders = make_pipe();
  if (!doors || !answers || !orders) {
    group->remove();
    return failure(Errc::kUnavailable, "a group could not be opened");
  }
  const pid_t child = fork();
  if (child == 0) {
    orders->second.reset();
    be_child(*doors, answers->second.get(), orders->first.get());
  }
  Status proved = failure(Errc::kUnavailable, "no process could be made");
  if (child > 0) {
    answers->second.reset();
    proved = judge(root, *group, answers->first.get(), orders->second.get());
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  for (int i = 0; i < kRemovals && !group->remove(); ++i) std::this_thread::sleep_for(kRemovePause);
  return proved;
}

}  // namespace capsule
