// The one fork. A parked interpreter (zygote, keeper, snapshot) branches: the child gets its own link and goes on.
// Everything here expects a process with exactly one thread.
#pragma once

#include <sched.h>
#include <signal.h>
#include <sys/types.h>

#include <span>

#include "base/result.h"
#include "base/unique_fd.h"

namespace capsule::parked {

// Namespaces a capsule is made with: CLONE_NEW… flags, or none at all.
using Namespaces = uint64_t;
inline constexpr Namespaces kNoNamespaces = 0;
inline constexpr Namespaces kAllNamespaces =
    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
// From what is wanted to what can be had: a kernel may refuse one kind alone (user.max_mnt_namespaces and its like).
inline constexpr Namespaces kChoices[] = {kAllNamespaces, kAllNamespaces & ~Namespaces{CLONE_NEWNET},
                                          kAllNamespaces & ~Namespaces{CLONE_NEWNS},
                                          kAllNamespaces & ~Namespaces{CLONE_NEWNS | CLONE_NEWNET}, kNoNamespaces};
constexpr bool has(Namespaces namespaces, uint64_t flag) { return (namespaces & flag) != 0; }

struct Child {
  pid_t pid = 0;   // 0: this is the child
  UniqueFd pidfd;  // parent only
};

// zygote -> keeper: clone3 with CLONE_PARENT, so the manager is its parent and reaps it, and the zygote may die
// without it. The interpreter stays "in mid-fork" in the child: a keeper never runs Python, its children finish the
// fork. Fails with kUnavailable when the kernel refuses the namespaces.
Result<Child> branch_capsule(Namespaces namespaces);

// keeper -> keeper of a capsule inside: a child of this one. Its interpreter is in mid-fork like its parent's.
Result<Child> branch_nested(Namespaces namespaces);

// keeper -> worker: libc's fork(), whose idea of the thread id is right again; finishes the interpreter's fork.
Result<Child> branch_worker();

// worker or snapshot -> snapshot: an exact copy, the pid apart. Its parent is the keeper (CLONE_PARENT), so that user
// code neither sees nor reaps it. No fork hook runs, Python's or libc's: with one thread, which holds every lock there
// is, nothing needs repair, and an undo shall find random generators, timers of libraries and hooks as they were. Gives
// the pid, 0 in the copy, which begins with all signals blocked; `mask` is what it shall unblock to.
struct Copy {
  pid_t pid = 0;
  sigset_t mask{};
};
Result<Copy> branch_copy();
inline constexpr const char* kNoRoomForCopy =
    "no process or thread more can be started, so there is no room for a copy (limits.processes; without control "
    "groups "
    "the forks of a session count too)";

// The same, into other namespaces: those of a capsule inside, in the order in which they can be entered. A helper that
// shares our memory, while we wait, enters them, gives up what power that gave, and makes the copy: so what is copied
// is copied once. Its parent is the keeper's too. The copy's root and working directory are the new capsule's root.
struct Entered {
  int fd;
  uint64_t kind;  // CLONE_NEW…
};
Result<Copy> branch_copy_into(std::span<const Entered> namespaces);

// Threads of this process, by /proc/self/task. 0 when that cannot be read.
size_t thread_count();

}  // namespace capsule::parked
