// Another size for the workspace of a capsule that is in use. Done by a child of the zygote: who has the user that owns
// a user namespace, and is outside of it, has every capability in it (user_namespaces(7)). No program sees that child:
// it is in none of their pid namespaces, and does two system calls.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace capsule::sandbox {

// `worker_pidfd`: of a process in the capsule that is dumpable. 0: stays as it is. The kernel refuses less than what is
// there already. For a process with one thread; it waits for the child, some milliseconds.
Status resize_workspace(int worker_pidfd, uint64_t bytes, uint64_t files);

}  // namespace capsule::sandbox
