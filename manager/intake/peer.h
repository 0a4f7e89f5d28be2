// Who is at the other end of a client connection, as the kernel tells it, and whether it may come in.
//
// A process inside a capsule looks like the manager's own user. What gives it away: its pid has more than one number in
// NSpid (it lives in an inner pid namespace), or its uid reads as the overflow uid (a user namespace without a map).
#pragma once

#include <sys/types.h>

#include "base/result.h"

namespace capsule {

struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

enum class Others { kRefused, kTakenByFileMode };  // the second: the socket's group and mode already judged them

// kRefused with the reason when it may not come in.
Result<Peer> identify_peer(int socket, Others others);

}  // namespace capsule
