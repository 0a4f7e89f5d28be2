// Decides the system calls that a copy of a worker needs and nobody else in a capsule may make. The filter hands them
// to the keeper (see kill_guard.h, which asks here); all their arguments are registers, so what was decided is what
// happens.
//
//   clone with CLONE_PARENT        only by a process that the manager asked for a copy; a few times, because a signal,
//   as
//                                  a sweep's, makes the kernel begin the call again and ask again. What nobody keeps
//                                  of what was made is swept
//   prctl(PR_SET_DUMPABLE)         off only by such a copy, when it parks, and only without capabilities; on by anyone:
//                                  what is parked runs none of the program's code
//   setns                          only by the helper of a worker that may put a copy into a capsule inside: a child of
//                                  this keeper that nobody knows yet. It makes that copy, and ends
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
  void forget(pid_t pid);

  // Copies in capsules inside that have hidden themselves.
  std::set<pid_t> parked_inside() const;

  enum class Caller { kOther, kKnown };  // known: a worker, or a parked copy
  // 0: the kernel may go on with it; else an errno for the caller.
  int decide(const seccomp_data& call, pid_t caller, Caller who);

 private:
  int decide_clone(pid_t caller);
  int decide_setns(pid_t caller, Caller who);
  int decide_dumpable(bool wanted, pid_t caller);

  struct Expected {
    May may;
    int clones = 0;
  };
  std::map<pid_t, Expected> expected_;
  unsigned copies_due_ = 0;   // made, and not yet parked
  unsigned helpers_due_ = 0;  // made, and not yet heard of

  struct Parked {
    UniqueFd oom_score;
    bool is_inside = false;
  };
  std::map<pid_t, Parked> parked_;
};

}  // namespace capsule::sandbox
