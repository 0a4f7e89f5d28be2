// The program exec'd once per profile: preloads the profile's modules, then only forks keepers. No threads, no user
// code, no secrets; blocking loop on one link.
#pragma once

#include "base/unique_fd.h"

namespace capsule {

// Returns the exit status of the process when it stays the zygote; a branched child never comes back.
int serve_as_zygote(UniqueFd link);

}  // namespace capsule
