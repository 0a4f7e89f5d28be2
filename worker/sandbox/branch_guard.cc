#include "worker/sandbox/branch_guard.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/posix_io.h"
#include "worker/sandbox/oom_score.h"
#include "worker/sandbox/processes.h"

namespace capsule::sandbox {
namespace {

constexpr pid_t kEnded = -1;  // in place of a helper whose number may be another's by now

bool is_child(pid_t pid) { return read_process(pid).parent == getpid(); }

// Who has a worker's memory can do what that worker can. Kernels without the comparison say yes: there any child of the
// keeper may be the helper.
bool has_memory_of(pid_t worker, pid_t pid) {
  const long compared = syscall(SYS_kcmp, worker, pid, KCMP_VM, 0, 0);
  return compared == 0 || (compared < 0 && errno == ENOSYS);
}

}  // namespace

bool BranchGuard::is_asked(int call) { return call == SYS_clone || call == SYS_prctl || call == SYS_setns; }

void BranchGuard::expect(pid_t pid, May may) { expected_[pid] = {may}; }

void BranchGuard::keep(pid_t copy) {
  if (!parked_.contains(copy)) kept_.insert(copy);
}

// Copies that are kept hide before they say that they are parked, so what has not done so will not.
void BranchGuard::withdraw(pid_t pid) {
  expected_.erase(pid);
  if (expected_.empty()) kept_.clear();
}

void BranchGuard::forget(pid_t pid) {
  expected_.erase(pid);
  for (auto& [worker, expected] : expected_) {
    if (expected.helper == pid) expected.helper = kEnded;
  }
  kept_.erase(pid);
  parked_.erase(pid);
}

int BranchGuard::decide(const seccomp_data& call, pid_t caller, Caller who) {
  switch (call.nr) {
    case SYS_clone: return decide_clone(caller);
    case SYS_prctl: return decide_dumpable(call.args[1] != 0, caller, who);
    case SYS_setns: return decide_setns(caller, who);
    default: return ENOSYS;
  }
}

int BranchGuard::decide_clone(pid_t caller) {
  for (auto& [worker, expected] : expected_) {
    if (worker != caller && expected.helper != caller) continue;
    int& clones = worker == caller ? expected.clones : expected.helper_clones;
    if (clones == kClones) return EPERM;
    ++clones;
    return 0;
  }
  return EPERM;
}

// The first call makes it known as the helper.
int BranchGuard::decide_setns(pid_t caller, Caller who) {
  if (who == Caller::kKnown) return EPERM;
  for (auto& [worker, expected] : expected_) {
    if (expected.helper == caller) return 0;
    if (expected.may != May::kCopyIntoNested || expected.clones == 0 || expected.helper != 0) continue;
    if (!is_child(caller) || !has_memory_of(worker, caller)) continue;
    expected.helper = caller;
    return 0;
  }
  return EPERM;
}

bool BranchGuard::is_copy_due() const {
  return std::any_of(expected_.begin(), expected_.end(), [](const auto& one) {
    return one.second.helper_clones > 0 || (one.second.may == May::kCopy && one.second.clones > 0);
  });
}

int BranchGuard::decide_dumpable(bool wanted, pid_t caller, Caller who) {
  const auto parked = parked_.find(caller);
  if (wanted) {
    if (parked == parked_.end()) return 0;
    (void)write_all(parked->second.get(), kWorkerOomScore);
    parked_.erase(parked);
    return 0;
  }
  if (parked != parked_.end()) return 0;
  if (kept_.contains(caller)) {
    if (!is_powerless(caller)) return EPERM;
    park(caller);
    return 0;
  }
  return who == Caller::kOther && is_copy_due() && is_child(caller) ? kLater : EPERM;
}

// While it is dumpable its keeper may open its /proc; the descriptor serves until it is woken.
void BranchGuard::park(pid_t copy) {
  kept_.erase(copy);
  const std::string path = "/proc/" + std::to_string(copy) + "/oom_score_adj";
  UniqueFd score(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (score) (void)write_all(score.get(), kParkedOomScore);
  parked_[copy] = std::move(score);
}

}  // namespace capsule::sandbox
