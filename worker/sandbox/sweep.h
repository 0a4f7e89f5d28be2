// Ends everything in the capsule but the keeper that calls it, also what forks while it is being killed. What is spared
// stands still meanwhile, and with anything spared the dead are left to be reaped. Capsules inside stand still too.
#pragma once

#include <map>
#include <set>

#include "worker/parked.h"

namespace capsule::sandbox {

struct Sweeping {
  std::set<pid_t> spared;       // children of the keeper
  std::map<pid_t, int> guests;  // to end: not its children, with a pidfd each
  bool is_inside = false;       // others may be here that are not its children; they are to end
  bool has_nested = false;      // spared too: whatever lives in capsules inside
};

// The first that moves in from further out is alone: what its worker made beside it is nobody's.
void end_strays(pid_t but);

void sweep(parked::Namespaces namespaces, const Sweeping& how = {});

}  // namespace capsule::sandbox
