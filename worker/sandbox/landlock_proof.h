// What Landlock holds here, by doing what it forbids: a kernel's word for its version is not taken. What is used later,
// and which calls the system call policy then allows because Landlock sees them, rests on this.
#pragma once

namespace capsule::sandbox::landlock {

inline constexpr int kNewestUsed = 6;  // later versions add nothing that a capsule asks for

struct Proof {
  int claimed = 0;         // the version the kernel claims; 0: none
  int abi = 0;             // the highest one of which, and of all before it, everything held; kNewestUsed at most
  bool can_scope = false;  // signals and abstract sockets; early kernels refuse them between threads of one process too
};

// Forks one child, which ends within milliseconds. For a process with one thread.
Proof prove();

}  // namespace capsule::sandbox::landlock
