// Starts a manager for one user when none listens: `capsule-manager --private`, in a session of its own, which ends
// when it has been idle. Its messages go to <socket>.log.
//
// Two commands may start one at the same time. The manager takes a lock; the one that comes second says "already" (or
// just ends), and this waits until the first can be reached.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "cli/client.h"

namespace capsule::cli {

inline constexpr seconds kPrivateStartTimeout{60};
inline constexpr size_t kPrivateLogBytes = 1u << 20;  // a longer log starts anew
inline constexpr size_t kPrivateLogTailBytes = 2048;  // shown when the start failed

struct PrivateManager {
  pid_t pid = 0;  // 0: another command's manager came first
  Client client;
};

// Blocks until the manager can be used, at most kPrivateStartTimeout.
Result<PrivateManager> start_private_manager(const SocketCandidate& where);

// Makes the directory (and its parent, for a user's own place) with mode 0700. For SocketOwner::kUser it must be a
// real directory, this user's, and closed to others.
Status prepare_socket_directory(const SocketCandidate& where);

}  // namespace capsule::cli
