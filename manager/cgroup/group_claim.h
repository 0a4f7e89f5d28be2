// The groups of capsules are in a directory of their manager's own. A live manager holds a lock (flock) on it, which
// the kernel ends with the process; what nobody holds was left by a manager that was killed, and the next one of the
// same user removes it, wherever that one listened. Only directories of this user and with a name of this form are
// touched, and only empty groups can be removed at all. Its workspaces on the disk are told apart the same way
// (files/scratch).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace capsule {

// "<pid>-<ms since 1970>": no two managers have the same, so that no capsule finds the counters of another one.
std::string group_owner(pid_t pid, int64_t wall_ms);

// Makes the directory and holds it for as long as the descriptor is open. kConflict: there is one already.
Result<UniqueFd> claim_group(const std::string& dir);

// Removes what dead managers left below `place`, at most kDeadManagers directories at once. False: some of it is still
// in use (capsules that are being ended); to be tried again.
inline constexpr size_t kDeadManagers = 256;
bool remove_dead_groups(const std::string& place);

// Whether `dir` has such a name, is ours, and is held by nobody: a dead manager's, and locked from now on, for as long
// as the descriptor is open. None: it is not.
UniqueFd hold_dead(const std::string& dir);

// The empty groups below `dir`. False: some are in use.
bool remove_groups_below(const std::string& dir);

}  // namespace capsule
