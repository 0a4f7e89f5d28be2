// Decides the system calls that a copy of a worker needs and nobody else in a capsule may make. The filter hands them
// to the keeper (see kill_guard.h, which asks here); all their arguments are registers, so what was decided is what
// happens.
//
//   clone with CLONE_PARENT        only by a process that the manager asked for a copy, until the manager says that
//                                  this is over; a few times, because a signal, as a sweep's, makes the kernel begin
//                                  the call again and ask again. What nobody keeps of what was made is swept
//   prctl(PR_SET_DUMPABLE)         off only by the process that the manager has named as that copy, once, and only
//                                  without capabilities: until it is named, a child of this keeper waits for the
//                                  answer. On by anyone: what is parked runs none of the program's code
//   setns to a user namespace      only by the helper of a worker that may put a copy into a capsule inside: a child of
//                                  this keeper that has that worker's memory. It makes that copy, and ends. Without the
//                                  power that this gives, the kernel lets nobody into the other kinds of namespaces
//
// When a copy parks it gets the lowest oom score, so that the kernel takes the worker and not its snapshots; when it is
// woken, a worker's again. Lives in the outermost keeper, on its one thread, and numbers processes as that does.
#pragma once

#include <sys/types.h>

#include <map>
#include <set>

#include "base/unique_fd.h"

struct seccomp_data;

namespace capsule::sandbox {

class BranchGuard {
 public:
  static bool is_asked(int call);

  enum class May { kCopy, kCopyIntoNested };
  static constexpr int kClones = 8;
  void expect(pid_t pid, May may);
  void keep(pid_t copy);  // the manager's word that this child is a copy
  void withdraw(pid_t pid);
  void forget(pid_t pid);

  enum class Caller { kOther, kKnown };  // known: a worker, or a parked copy
  static constexpr int kLater = -1;
  // 0: the kernel may go on with it; kLater: to be asked again when the manager was heard; else an errno for the
  // caller.
  int decide(const seccomp_data& call, pid_t caller, Caller who);

 private:
  int decide_clone(pid_t caller);
  int decide_setns(pid_t caller, Caller who);
  int decide_dumpable(bool wanted, pid_t caller, Caller who);
  bool is_copy_due() const;
  void park(pid_t copy);

  struct Expected {
    May may;
    int clones = 0;
    pid_t helper = 0;  // 0: not heard of yet
    int helper_clones = 0;
  };
  std::map<pid_t, Expected> expected_;
  std::set<pid_t> kept_;              // and not yet hidden
  std::map<pid_t, UniqueFd> parked_;  // with its oom score, which cannot be opened any more
};

}  // namespace capsule::sandbox
