// The system call policy, as data: what a worker may ask of the kernel. One row a system call, or several that look at
// its arguments. What is not in the table does not exist (ENOSYS), so that libraries fall back as on an older kernel.
// Why each group is where it is: docs/decisions/0006-seccomp-policy.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "worker/sandbox/policy.h"

namespace capsule::sandbox::seccomp {

enum class Action {
  kAllow,
  kRefuse,   // EPERM
  kMissing,  // ENOSYS, as if the kernel did not have it
  kAsk,      // the keeper answers (kill_guard.h, branch_guard.h)
};
std::string_view to_string(Action action);  // allow, eperm, enosys, notify

// All 64 bits of a register. Rows of one call must not overlap with different actions.
struct Match {
  enum class Kind { kNothing, kEqual, kDiffers, kMaskedEqual, kAbove };
  Kind kind = Kind::kNothing;
  unsigned argument = 0;
  uint64_t value = 0;
  uint64_t mask = 0;
};

struct Row {
  std::string_view call;
  Action action;
  std::vector<Match> matches;  // all of them; none: always
  std::string_view note;
};

// What else the policy depends on, beside the profile.
enum class Sockets { kLocal, kNone };  // kNone: without a network namespace local sockets reach the host's
struct Surroundings {
  Sockets sockets = Sockets::kLocal;
  int landlock_abi = 0;  // below 3 it cannot refuse truncate(2)
};

// The whole policy. Rows of calls that this architecture lacks are in it too.
std::vector<Row> make_table(const Policy& policy, Surroundings surroundings);

}  // namespace capsule::sandbox::seccomp
