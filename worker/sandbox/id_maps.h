// The user namespace's id maps: exactly one user and group inside, with the numbers they have outside.
#pragma once

#include <sys/types.h>

#include "base/result.h"

namespace capsule::sandbox {

// `user` and `group` are the outer ids: before the maps are written a process inside sees only the overflow ids.
Status write_id_maps(uid_t user, gid_t group);

// The same ids, where a privileged manager has written the maps: the process becomes the one user they hold, and keeps
// its capabilities in the namespace.
Status become(uid_t user, gid_t group);

// Best effort: a kernel that refuses leaves the inherited score.
void write_own_oom_score(const char* score);

}  // namespace capsule::sandbox
