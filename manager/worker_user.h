// Whose processes workers are. A manager that is root gives them users of no other meaning; any other manager has only
// its own.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace capsule {

// The zygotes' user; 0: the manager's own.
uid_t choose_worker_user();
// Whether the user namespace we are in has these numbers at all, as users and as groups.
bool has_users(uint64_t first, uint64_t count);

}  // namespace capsule
