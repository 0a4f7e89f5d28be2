#include "worker/sandbox/branch_guard.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/posix_io.h"
#include "worker/sandbox/oom_score.h"
#include "worker/sandbox/processes.h"

namespace capsule::sandbox {

bool BranchGuard::is_asked(int call) { return call == SYS_clone || call == SYS_prctl || call == SYS_setns; }

void BranchGuard::expect(pid_t pid, May may) { expected_[pid] = {may}; }

void BranchGuard::forget(pid_t pid) {
  expected_.erase(pid);
  parked_.erase(pid);
}

std::set<pid_t> BranchGuard::parked_inside() const {
  std::set<pid_t> inside;
  for (const auto& [pid, copy] : parked_) {
    if (copy.is_inside) inside.insert(pid);
  }
  return inside;
}

int BranchGuard::decide(const seccomp_data& call, pid_t caller, Caller who) {
  switch (call.nr) {
    case SYS_clone: return decide_clone(caller);
    case SYS_prctl: return decide_dumpable(call.args[1] != 0, caller);
    case SYS_setns: return decide_setns(caller, who);
    default: return ENOSYS;
  }
}

int BranchGuard::decide_clone(pid_t caller) {
  const auto found = expected_.find(caller);
  if (found == expected_.end() || found->second.clones == kClones) return EPERM;
  if (++found->second.clones == 1) ++(found->second.may == May::kCopyIntoNested ? helpers_due_ : copies_due_);
  return 0;
}

// The first call makes it known as the helper, which may make one copy.
int BranchGuard::decide_setns(pid_t caller, Caller who) {
  if (expected_.contains(caller) && who == Caller::kOther) return 0;
  if (helpers_due_ == 0 || who == Caller::kKnown || read_process(caller).parent != getpid()) return EPERM;
  --helpers_due_;
  expected_[caller] = {May::kCopy};
  return 0;
}

// While it is dumpable its keeper may open its /proc; the descriptor serves until it is woken.
int BranchGuard::decide_dumpable(bool wanted, pid_t caller) {
  const auto parked = parked_.find(caller);
  if (wanted) {
    if (parked == parked_.end()) return 0;
    (void)write_all(parked->second.oom_score.get(), kWorkerOomScore);
    parked_.erase(parked);
    return 0;
  }
  if (parked != parked_.end()) return 0;
  if (copies_due_ == 0 || !is_powerless(caller)) return EPERM;
  --copies_due_;
  const std::string path = "/proc/" + std::to_string(caller) + "/oom_score_adj";
  UniqueFd score(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (score) (void)write_all(score.get(), kParkedOomScore);
  parked_[caller] = {std::move(score), numbers_of(caller).level > 1};
  return 0;
}

}  // namespace capsule::sandbox
