// Writes the id maps of a keeper's user namespace for it: only a privileged manager may map a user that is not its own.
#pragma once

#include <sys/types.h>

#include "base/result.h"

namespace capsule {

// `keeper` is an unreaped child of ours, so its pid is nobody else's. Maps `user`, as user and as group, to itself.
Status write_id_maps_of(pid_t keeper, uid_t user);

}  // namespace capsule
